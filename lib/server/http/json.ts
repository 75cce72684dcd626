export interface JsonOptions {
  status?: number;
  headers?: Record<string, string>;
}

/** An answer in JSON. It brings its length along, as the answer to HEAD is this one without its body. */
export function json(body: unknown, options: JsonOptions = {}): Response {
  return jsonText(JSON.stringify(body), options);
}

/** The same of what is JSON already. */
export function jsonText(text: string, { status = 200, headers = {} }: JsonOptions = {}): Response {
  return new Response(text, {
    status,
    headers: {
      ...headers,
      "Content-Type": "application/json",
      "Content-Length": String(Buffer.byteLength(text)),
    },
  });
}
