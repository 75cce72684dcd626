import type { TypedResponse } from "hono";

export interface JsonOptions {
  status?: number;
  headers?: Record<string, string>;
}

/** An answer with a value as JSON. */
export type JsonResponse<T> = Response & TypedResponse<T>;

/** A JSON answer. It states its length, as the answer to HEAD is the same without its body. */
export function json<T>(body: T, options: JsonOptions = {}): JsonResponse<T> {
  return jsonText<T>(JSON.stringify(body), options);
}

/** The same for a text that is JSON already. */
export function jsonText<T>(
  text: string,
  { status = 200, headers = {} }: JsonOptions = {},
): JsonResponse<T> {
  const answer = new Response(text, {
    status,
    headers: {
      ...headers,
      "Content-Type": "application/json",
      "Content-Length": String(Buffer.byteLength(text)),
    },
  });
  return typed(answer);
}

/** An answer whose body is known to be a value's JSON. Only the type says so, as with Hono's own. */
export function typed<T>(answer: Response): JsonResponse<T> {
  return answer as JsonResponse<T>;
}
