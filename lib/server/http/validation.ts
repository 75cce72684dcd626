import type * as z from "zod";
import { FdsError } from "../../protocol/errors.ts";
import { wordsOf } from "./issue-words.ts";

/** Options for validating requests with our own error messages. */
export const IN_OUR_WORDS = {
  validationFunction: (schema: z.ZodType, value: unknown) =>
    schema.safeParseAsync(value, { error: wordsOf }),
};

/** Most unknown fields in an error message, and most characters of each. */
const MAX_KEYS_SHOWN = 8;
const MAX_KEY_SHOWN = 64;

/**
 * Handles the result of @hono/zod-validator.
 * @throws FdsError `invalid_request` with the first problem of a request, as a sentence
 */
export function refuseInvalid(result: { success: boolean; error?: z.core.$ZodError }): void {
  if (result.success) return;
  const issue = result.error?.issues[0];
  throw new FdsError("invalid_request", issue ? describe(issue) : "The request is not valid");
}

function describe(issue: z.core.$ZodIssue): string {
  if (issue.code === "unrecognized_keys") {
    const { keys } = issue;
    const shown = keys.slice(0, MAX_KEYS_SHOWN).map(quote).join(", ");
    const more = keys.length > MAX_KEYS_SHOWN ? " and others" : "";
    return `Unknown ${keys.length > 1 ? "fields" : "field"} ${shown}${more}`;
  }
  const field = fieldOf(issue.path);
  // For a wrong key, zod has the reason below the issue of its object.
  const message = (issue.code === "invalid_key" && issue.issues[0]?.message) || issue.message;
  return field === "" ? `The body is not right: ${message}` : `${field}: ${message}`;
}

/**
 * Name of a field for messages: `"checksum"`, `"clients.ids"`, or in a list `"paths", entry 2`; "" for the
 * body itself.
 */
function fieldOf(path: PropertyKey[]): string {
  const names = path.filter((step) => typeof step !== "number").map(String);
  const entries = path.filter((step) => typeof step === "number");
  return [
    ...(names.length > 0 ? [quote(names.join("."))] : []),
    ...entries.map((index) => `entry ${index + 1}`),
  ].join(", ");
}

/** Quotes a caller's text for an error message: on one line, and shortened. */
function quote(key: string): string {
  return JSON.stringify(key.length > MAX_KEY_SHOWN ? `${key.slice(0, MAX_KEY_SHOWN)}…` : key);
}
