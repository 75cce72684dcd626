import type { TypedResponse } from "hono";

export interface JsonOptions {
  status?: number;
  headers?: Record<string, string>;
}

/** A response with a value of type T as JSON. */
export type JsonResponse<T> = Response & TypedResponse<T>;

/** Returns a JSON response. Its Content-Length is set, so that the response to HEAD has it, too. */
export function json<T>(body: T, options: JsonOptions = {}): JsonResponse<T> {
  return jsonText<T>(JSON.stringify(body), options);
}

/** Returns a JSON response for a text that is already JSON. */
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
  return asJsonResponse(answer);
}

/** Declares that the body of a response is the JSON of a value of type T. Nothing is checked at run time. */
export function asJsonResponse<T>(answer: Response): JsonResponse<T> {
  return answer as JsonResponse<T>;
}
