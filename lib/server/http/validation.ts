import type * as z from "zod";
import { FdsError } from "../../protocol/errors.ts";
import { issueMessage } from "./issue-words.ts";

/** Options that make the validator use this program's own error messages. */
export const VALIDATION_MESSAGES = {
  validationFunction: (schema: z.ZodType, value: unknown) =>
    schema.safeParseAsync(value, { error: issueMessage }),
};

/** Limits of an error message: number of unknown fields, and characters of each field's name. */
const MAX_KEYS_SHOWN = 8;
const MAX_KEY_SHOWN = 64;

/**
 * Throws an error if @hono/zod-validator found a problem in a request.
 * @throws FdsError `invalid_request` with the first problem of the request, as a sentence
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
  // For an invalid key of an object, zod puts the reason into a nested issue.
  const message = (issue.code === "invalid_key" && issue.issues[0]?.message) || issue.message;
  return field === "" ? `The body is not right: ${message}` : `${field}: ${message}`;
}

/**
 * Returns the name of a field for error messages: `"checksum"`, `"clients.ids"`, or `"paths", entry 2` in a
 * list. Returns "" for the body itself.
 */
function fieldOf(path: PropertyKey[]): string {
  const names = path.filter((step) => typeof step !== "number").map(String);
  const entries = path.filter((step) => typeof step === "number");
  return [
    ...(names.length > 0 ? [quote(names.join("."))] : []),
    ...entries.map((index) => `entry ${index + 1}`),
  ].join(", ");
}

/** Quotes the name of a request's field for an error message: shortened, and on one line. */
function quote(key: string): string {
  return JSON.stringify(key.length > MAX_KEY_SHOWN ? `${key.slice(0, MAX_KEY_SHOWN)}…` : key);
}
