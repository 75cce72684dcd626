/** Default security headers of responses. Browsers must not run, frame or cache such responses. */
const HEADERS = {
  "Cache-Control": "no-store",
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
};

/** Header that makes browsers use only TLS for this host, for a year. */
const TLS_HEADERS = { "Strict-Transport-Security": "max-age=31536000" };

/** Adds those security headers that a response does not have yet, and returns the response. */
export type Secure = (answer: Response) => Response;

/**
 * Returns a function that adds security headers to responses.
 * @param isTls whether this server itself uses TLS
 */
export function securityHeaders(isTls: boolean): Secure {
  const headers = Object.entries({ ...HEADERS, ...(isTls && TLS_HEADERS) });
  return (answer) => {
    for (const [name, value] of headers) {
      if (!answer.headers.has(name)) answer.headers.set(name, value);
    }
    return answer;
  };
}
