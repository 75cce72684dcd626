import { generateCookie } from "hono/cookie";
import { parse } from "hono/utils/cookie";

/** Name of the cookie, with the port: browsers keep the cookies of all ports of a host together. */
function cookieName(request: Request): string {
  return `fds_session_${new URL(request.url).port || "default"}`;
}

/**
 * The cookie of a session, to be set.
 * @param value none: the browser forgets the session
 * @param seconds how long it is good
 */
export function sessionCookie(request: Request, value: string, seconds: number): string {
  // A proxy may have taken the TLS off: then only the browser's Origin tells of it.
  const origin = request.headers.get("Origin") ?? request.url;
  return generateCookie(cookieName(request), value, {
    maxAge: seconds,
    httpOnly: true,
    sameSite: "Strict",
    secure: origin.startsWith("https:"),
    // None, which is that of the API, as the browser sees it: below a path of a proxy, too.
    path: undefined,
  });
}

/** The value of the session's cookie that a request shows. */
export function sessionIn(request: Request): string | undefined {
  const name = cookieName(request);
  return parse(request.headers.get("Cookie") ?? "", name)[name];
}
