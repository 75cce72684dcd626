import type { ApiError } from "../../api/schemas.ts";
import { type ErrorCode, meaningOf } from "../../protocol/errors.ts";
import { json } from "./json.ts";

/** Returns the JSON response for a request that failed. */
export function problem(
  code: ErrorCode,
  message: string,
  headers: Record<string, string> = {},
): Response {
  const body: ApiError = { error: message, code };
  return json(body, {
    status: meaningOf(code).http ?? 500,
    headers: {
      // A browser that saves the response to a file uses this name, so the error is not mistaken for the
      // content.
      "Content-Disposition": 'inline; filename="error.json"',
      ...headers,
      ...(code === "unauthorized" && { "WWW-Authenticate": 'Bearer realm="api"' }),
    },
  });
}
