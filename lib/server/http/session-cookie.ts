import { generateCookie } from "hono/cookie";
import { parse } from "hono/utils/cookie";

/**
 * Returns the name of the session cookie. It contains the port, as browsers share cookies between all ports
 * of a host.
 */
function cookieName(request: Request): string {
  return `fds_session_${new URL(request.url).port || "default"}`;
}

/**
 * Returns the Set-Cookie header that begins or ends a session.
 * @param value value of the cookie; empty: the browser deletes the cookie
 * @param seconds how long the cookie is valid
 */
export function sessionCookie(request: Request, value: string, seconds: number): string {
  // A proxy may end the TLS connection of the browser. Then only the Origin header shows that the browser
  // uses https.
  const origin = request.headers.get("Origin") ?? request.url;
  return generateCookie(cookieName(request), value, {
    maxAge: seconds,
    httpOnly: true,
    sameSite: "Strict",
    secure: origin.startsWith("https:"),
    // Without a path, the browser uses the path of the API call. This is right also if a proxy adds a prefix
    // to paths.
    path: undefined,
  });
}

/** Returns the value of the session cookie in a request; undefined: there is none. */
export function sessionIn(request: Request): string | undefined {
  const name = cookieName(request);
  return parse(request.headers.get("Cookie") ?? "", name)[name];
}
