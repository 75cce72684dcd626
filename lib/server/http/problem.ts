import type { ApiError } from "../../api/schemas.ts";
import { type ErrorCode, meaningOf } from "../../protocol/errors.ts";
import { json } from "./json.ts";

/** The answer to a request that failed. */
export function problem(
  code: ErrorCode,
  message: string,
  headers: Record<string, string> = {},
): Response {
  const body: ApiError = { error: message, code };
  return json(body, {
    status: meaningOf(code).http ?? 500,
    headers: {
      // Whoever saves a link's content gets a file with this name, which cannot be taken for the content.
      "Content-Disposition": 'inline; filename="error.json"',
      ...headers,
      ...(code === "unauthorized" && { "WWW-Authenticate": 'Bearer realm="api"' }),
    },
  });
}
