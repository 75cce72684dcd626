import { parseArgs } from "node:util";
import * as z from "zod";

/** A mistake of the person who started the program: one line, exit 2. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** A flag of a program; `--help` is on every program and needs no mention. */
export interface Flag {
  type: "string" | "boolean";
  multiple?: boolean;
  /** One letter. */
  short?: string;
}

export interface ParsedFlags {
  /** The given flags by name; a `multiple` one is a list. */
  values: Record<string, string | boolean | string[] | undefined>;
  positionals: string[];
}

/**
 * Reads a command line.
 * @param argv without the program's name
 * @param positionals most words beside the flags
 * @throws UsageError that names the flag and what was expected
 */
export function parseFlags(
  argv: string[],
  flags: Record<string, Flag>,
  positionals = 0,
): ParsedFlags {
  const known = ["help", ...Object.keys(flags)].map((name) => `--${name}`).join(" ");
  const options: Record<string, Flag> = {
    ...flags,
    help: { type: "boolean", short: "h" },
  };
  const { tokens } = parseArgs({ args: argv, options, strict: false, tokens: true });
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    // A name such as "constructor" is on every object, and still is no flag.
    const flag = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
    if (!flag) throw new UsageError(`unknown flag "${token.rawName}", expected one of ${known}`);
    if (flag.type === "string" && (token.value === undefined || isFlagLike(token))) {
      throw new UsageError(`flag "${token.rawName}" has no value, expected ${token.rawName} VALUE`);
    }
    if (flag.type === "boolean" && token.value !== undefined) {
      throw new UsageError(
        `flag "${token.rawName}" has the value "${token.value}", expected no value`,
      );
    }
  }
  const parsed = parseArgs({ args: argv, options, strict: false, allowPositionals: true });
  const extra = parsed.positionals[positionals];
  if (extra !== undefined) {
    throw new UsageError(`unexpected word "${extra}", expected flags such as ${known}`);
  }
  return {
    values: parsed.values as ParsedFlags["values"],
    positionals: parsed.positionals,
  };
}

/** `--host --port 1`: the value of --host is missing. */
function isFlagLike(token: { value?: string; inlineValue?: boolean }): boolean {
  return token.inlineValue === false && token.value !== undefined && /^--?[a-z]/i.test(token.value);
}

/** The text of a setting from outside, and where it came from for the message. */
export interface GivenText {
  /** The name that the person used: `--port` or `SERVER_PORT`. */
  source: string;
  text: string;
  /** True: messages do not repeat the text. */
  secret?: boolean;
}

/**
 * Checks one setting against a schema for its text.
 * @param expected what a right value looks like, for the message
 * @throws UsageError that names the setting, the value (but no secret) and what was expected
 */
export function readSetting<T>(setting: GivenText, schema: z.ZodType<T>, expected: string): T {
  const result = schema.safeParse(setting.text);
  if (result.success) return result.data;
  // A URL may contain a password.
  const shown = setting.text.replace(/\/\/.*@/s, "//…@");
  const found = setting.secret ? "has a wrong value" : `is "${shown}"`;
  throw new UsageError(`${setting.source} ${found}, expected ${exactly(result.error) ?? expected}`);
}

/** What the schema says that it expected, where it says so. */
function exactly({ issues: [issue] }: z.ZodError): string | undefined {
  const expected: unknown = issue?.code === "custom" ? issue.params?.["expected"] : undefined;
  return typeof expected === "string" ? expected : undefined;
}
