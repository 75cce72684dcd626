/** Default headers of answers, which forbid browsers to show or store them. */
const HEADERS = {
  "Cache-Control": "no-store",
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
};

/** For a year, browsers must use TLS for this host. */
const TLS_HEADERS = { "Strict-Transport-Security": "max-age=31536000" };

/** Adds the headers that an answer does not have yet, and returns it. */
export type Secure = (answer: Response) => Response;

/** @param isTls whether the server itself speaks TLS */
export function securityHeaders(isTls: boolean): Secure {
  const headers = Object.entries({ ...HEADERS, ...(isTls && TLS_HEADERS) });
  return (answer) => {
    for (const [name, value] of headers) {
      if (!answer.headers.has(name)) answer.headers.set(name, value);
    }
    return answer;
  };
}
