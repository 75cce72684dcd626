import { parseArgs } from "node:util";
import * as z from "zod";

/**
 * A mistake in how a person called the program. Its message is printed as one line, and the exit code is 2.
 */
export class UsageError extends Error {
  override name = "UsageError";
}

/** A command-line flag of a program. Every program also has `--help`, which {@link parseFlags} adds. */
export interface Flag {
  type: "string" | "boolean";
  multiple?: boolean;
  /** One-letter form of the flag, such as `h` for `-h`. */
  short?: string;
}

export interface ParsedFlags {
  /** Values of the given flags, by name. A `multiple` flag has a list of values. */
  values: Record<string, string | boolean | string[] | undefined>;
  positionals: string[];
}

/**
 * Parses a command line.
 * @param argv the words behind the program's name
 * @param maxPositionals highest number of words that are not flags
 * @throws UsageError that names the flag and what was expected
 */
export function parseFlags(
  argv: string[],
  flags: Record<string, Flag>,
  maxPositionals = 0,
): ParsedFlags {
  const flagNames = ["help", ...Object.keys(flags)].map((name) => `--${name}`).join(" ");
  const options: Record<string, Flag> = {
    ...flags,
    help: { type: "boolean", short: "h" },
  };
  const { tokens } = parseArgs({ args: argv, options, strict: false, tokens: true });
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    // Every object inherits "constructor", so a plain look-up would take --constructor for a known flag.
    const flag = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
    if (!flag)
      throw new UsageError(`unknown flag "${token.rawName}", expected one of ${flagNames}`);
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
  const extra = parsed.positionals[maxPositionals];
  if (extra !== undefined) {
    throw new UsageError(`unexpected word "${extra}", expected flags such as ${flagNames}`);
  }
  return {
    values: parsed.values as ParsedFlags["values"],
    positionals: parsed.positionals,
  };
}

/**
 * Reports whether the value of a flag looks like the next flag: `--host --port 1` has no value for `--host`.
 */
function isFlagLike(token: { value?: string; inlineValue?: boolean }): boolean {
  return token.inlineValue === false && token.value !== undefined && /^--?[a-z]/i.test(token.value);
}

/** The text that a person gave for a setting, and the flag or variable by which it was given. */
export interface GivenText {
  /** The flag or variable by which the text was given, such as `--port` or `SERVER_PORT`. */
  source: string;
  text: string;
  /** True if error messages must not contain the text. */
  secret?: boolean;
}

/**
 * Parses the text of one setting.
 * @param expected description of a valid text, for the error message
 * @throws UsageError that names the setting, its text unless secret, and what was expected
 */
export function readSetting<T>(setting: GivenText, schema: z.ZodType<T>, expected: string): T {
  const result = schema.safeParse(setting.text);
  if (result.success) return result.data;
  // Hides a user and password before a host, also where a person forgot the scheme of the URL.
  const redactedText = setting.text.replace(
    /^((?:[a-z][\w+.-]*:)?\/\/).*@|^[^@]*:.*@/is,
    (_, scheme = "") => `${scheme}…@`,
  );
  const problem = setting.secret ? "has a wrong value" : `is "${redactedText}"`;
  throw new UsageError(
    `${setting.source} ${problem}, expected ${expectationOf(result.error) ?? expected}`,
  );
}

/** Returns the exact description of what was expected, if the schema reported one with its error. */
function expectationOf({ issues: [issue] }: z.ZodError): string | undefined {
  const expected: unknown = issue?.code === "custom" ? issue.params?.["expected"] : undefined;
  return typeof expected === "string" ? expected : undefined;
}
