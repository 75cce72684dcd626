import * as z from "zod";
import { type Flag, type ParsedFlags, readSetting, UsageError } from "../../util/flags.ts";
import { plainJson } from "../../util/plain-text.ts";
import type { Kind } from "../../util/kinds.ts";
import type { Environment } from "../../util/settings.ts";
import type { ApiClient } from "../rest/api-client.ts";
import type { Interruptions } from "../program.ts";
import type { Terminal } from "../terminal/terminal.ts";

/** The arguments, the outputs and the API client that a command works with. */
export interface CommandContext {
  api: ApiClient;
  /** Arguments after the command's name, without flags. */
  words: string[];
  values: ParsedFlags["values"];
  env: Environment;
  /** Standard output, for results. */
  out: Terminal;
  /**
   * Standard error, for progress and remarks. With `--json`, this output is discarded unless it goes to a
   * terminal.
   */
  err: Terminal;
  json: boolean;
  /** Whether the user can answer questions: standard input and standard error are terminals. */
  interactive: boolean;
  interruptions: Interruptions;
}

/** One command of `fds`. */
export interface Command {
  /** Arguments after the command's name, as help texts show them: `CLIENT [FILE]`. */
  words: string;
  /** A more detailed form of `words`, for the command's own help. */
  usage?: string;
  /** The smallest and the largest number of arguments. */
  wordCount: [min: number, max: number];
  summary: string;
  flags: Record<string, Flag>;
  /** Describes the command's flags, for `--help`. */
  flagsHelp?: string;
  /** Further paragraphs for `--help`. */
  notes?: string;
  /** Example calls for `--help`, without the leading `fds`. */
  examples: string[];
  /** Runs the command. An error means that the command failed. */
  run(context: CommandContext): Promise<void>;
}

/**
 * Reads and checks the value of a flag.
 * @returns undefined where the flag was not given
 * @throws UsageError for a wrong value
 */
export function readFlag<T>(
  { values }: CommandContext,
  flag: string,
  kind: Kind<T>,
): T | undefined {
  const text = values[flag];
  if (text === undefined) return undefined;
  return readSetting({ source: `--${flag}`, text: String(text) }, kind.schema, kind.expected);
}

/**
 * Refuses a flag that the command has for other actions, and that this action would ignore.
 * @param flags all flags of the command
 * @param own names of the flags of this action
 * @param action the command and the action, for the error message
 * @throws UsageError
 */
export function requireOwnFlags(
  { values }: CommandContext,
  { flags, own, action }: { flags: Command["flags"]; own: readonly string[]; action: string },
): void {
  const foreign = Object.keys(flags).find(
    (name) => values[name] !== undefined && !own.includes(name),
  );
  if (foreign !== undefined) throw new UsageError(`--${foreign} is no flag of ${action}`);
}

/**
 * The format of `--cursor`. The value is the `next_cursor` of an earlier page, and the list continues after
 * that page.
 */
export const CURSOR: Kind<string> = {
  schema: z.uuid(),
  expected: "the next_cursor of an earlier list",
};

/** The result of a command in its three output formats. */
export interface Result {
  /** The value to print with `--json`. */
  value: unknown;
  /** Returns the lines for a terminal. */
  shown: (coloured: boolean) => string[];
  /** Returns the lines for a pipe, with fields separated by tabs. */
  raw: () => string[];
}

/** Writes a result to standard output: JSON with `--json`, otherwise lines for a terminal or for a pipe. */
export function print({ out, json }: CommandContext, { value, shown, raw }: Result): void {
  const lines = () => (out.live ? shown(out.colour) : raw());
  const texts = json ? [plainJson(value, out.live ? 2 : 0)] : lines();
  out.write(texts.map((line) => `${line}\n`).join(""));
}
