import type * as z from "zod";
import { ApiError } from "../../api/schemas.ts";
import { plainText } from "../../util/plain-text.ts";
import type { Failure } from "../program.ts";
import { ApiCallError, UnreachableError } from "./api-errors.ts";

/* Parses responses of the server. Error messages name the server by the address that the user gave. */

/** HTTP statuses with which a proxy reports that the server behind the proxy does not respond. */
const PROXY_ERRORS = new Set([502, 503, 504]);

/**
 * Parses and validates the JSON of a response.
 * @throws ApiCallError where the text is not JSON, or does not match the schema
 */
export async function readJson<T>(
  server: string,
  response: Response,
  schema: z.ZodType<T>,
): Promise<T> {
  const answer = schema.safeParse(parseJson(await response.text()));
  if (answer.success) return answer.data;
  throw unexpectedAnswer(server, response.status);
}

/** Returns the error for a response whose status is not 2xx. */
export async function refusalOf(server: string, response: Response): Promise<Failure> {
  const { status, headers } = response;
  const location = status >= 300 && status < 400 ? headers.get("location") : null;
  if (location !== null) return redirectError(server, status, location);
  const answer = ApiError.safeParse(parseJson(await response.text()));
  if (answer.success) {
    const hint = status === 401 ? "set API_TOKEN to that of the server: " : "";
    return new ApiCallError(status, answer.data.code, hint + plainText(answer.data.error));
  }
  if (!PROXY_ERRORS.has(status)) return unexpectedAnswer(server, status);
  return new UnreachableError(
    `start the server behind the proxy at "${server}", which answered ${status}`,
  );
}

/** Returns the error for a response that does not match this version of the API. */
export function unexpectedAnswer(server: string, status: number): ApiCallError {
  return new ApiCallError(
    status,
    "unexpected_answer",
    `check the address "${server}": it answered ${status} with what is not of this version of the API`,
  );
}

/** Parses JSON. @returns null where the text is not valid JSON */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function redirectError(server: string, status: number, location: string): ApiCallError {
  const message = `pass the right address: "${server}" answered ${status}, it leads to "${plainText(location)}"`;
  return new ApiCallError(status, "unexpected_answer", message);
}
