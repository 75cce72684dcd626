import type * as z from "zod";

/** Names of JSON types for people. The key is zod's name of the type. */
const KINDS: Record<string, string> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  record: "an object",
};

/** Descriptions of the string formats that requests use. The key is zod's name of the format. */
const FORMATS: Record<string, string> = {
  datetime: "a time such as 2026-01-02T03:04:05Z",
  uuid: "a UUID such as 0198d2a5-3b5c-7d1e-8f2a-6c4b9e0d7a31",
};

/**
 * Returns the error message for a wrong value whose schema defines no message of its own.
 * @returns undefined if requests never cause this kind of issue; zod's own message is then used
 */
export function issueMessage(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case "invalid_type": {
      if (issue.input === undefined) return "is missing";
      const kind = KINDS[issue.expected];
      return kind && `must be ${kind}`;
    }
    case "too_small":
      return `must ${boundOf(issue.origin, "at least", Number(issue.minimum))}`;
    case "too_big":
      return `must ${boundOf(issue.origin, "at most", Number(issue.maximum))}`;
    case "invalid_value":
      return `must be ${anyOf(issue.values.map((value) => JSON.stringify(value)))}`;
    case "invalid_format": {
      const format = FORMATS[issue.format];
      return format && `must be ${format}`;
    }
    case "unrecognized_keys":
      return `has unknown fields: ${issue.keys.join(", ")}`;
    default:
      return undefined;
  }
}

function boundOf(origin: string, bound: string, count: number): string {
  const things = (one: string) => `${bound} ${count} ${one}${count === 1 ? "" : "s"}`;
  if (origin === "string") return `have ${things("character")}`;
  if (origin === "array")
    return `have ${count === 1 ? `${bound} 1 entry` : `${bound} ${count} entries`}`;
  return `be ${bound} ${count}`;
}

function anyOf(values: string[]): string {
  const last = values.at(-1) ?? "";
  return values.length < 2 ? last : `${values.slice(0, -1).join(", ")} or ${last}`;
}
