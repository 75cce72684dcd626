import { generateCookie } from "hono/cookie";
import { parse } from "hono/utils/cookie";

/** Name of the cookie. It contains the port, as browsers share cookies between all ports of a host. */
function cookieName(request: Request): string {
  return `fds_session_${new URL(request.url).port || "default"}`;
}

/**
 * The cookie that begins or ends a session.
 * @param value empty: the browser forgets the session
 * @param seconds how long it is valid
 */
export function sessionCookie(request: Request, value: string, seconds: number): string {
  // A proxy may have removed the TLS; then only the browser's Origin shows it.
  const origin = request.headers.get("Origin") ?? request.url;
  return generateCookie(cookieName(request), value, {
    maxAge: seconds,
    httpOnly: true,
    sameSite: "Strict",
    secure: origin.startsWith("https:"),
    // Without a path, the browser takes that of the API. This is right also where a proxy adds a prefix.
    path: undefined,
  });
}

/** The value of the session's cookie in a request. */
export function sessionIn(request: Request): string | undefined {
  const name = cookieName(request);
  return parse(request.headers.get("Cookie") ?? "", name)[name];
}
