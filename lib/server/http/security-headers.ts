/** What a browser is told of every answer that says nothing else: to show it nowhere, and keep nothing. */
const HEADERS = {
  "Cache-Control": "no-store",
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
};

/** For a year, this host is not to be called without TLS. */
const TLS_HEADERS = { "Strict-Transport-Security": "max-age=31536000" };

/** Adds the headers to an answer that it does not have, and gives it back. */
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
