import type { TypedResponse } from "hono";

export interface JsonOptions {
  status?: number;
  headers?: Record<string, string>;
}

/** An answer whose body is the JSON of a value. */
export type JsonResponse<T> = Response & TypedResponse<T>;

/** An answer in JSON. It brings its length along, as the answer to HEAD is this one without its body. */
export function json<T>(body: T, options: JsonOptions = {}): JsonResponse<T> {
  return jsonText<T>(JSON.stringify(body), options);
}

/** The same of what is JSON already. */
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

/** An answer whose body is known to be the JSON of a value: the type alone says so, as Hono's does. */
export function typed<T>(answer: Response): JsonResponse<T> {
  return answer as JsonResponse<T>;
}
