import * as z from "zod";
import { type Flag, type ParsedFlags, readSetting } from "../../util/flags.ts";
import { plainJson } from "../../util/plain-text.ts";
import type { Kind } from "../../util/kinds.ts";
import type { Environment } from "../../util/settings.ts";
import type { ApiClient } from "../rest/api-client.ts";
import type { Interruptions } from "../program.ts";
import type { Terminal } from "../terminal/terminal.ts";

/** What a command works with. */
export interface CommandContext {
  api: ApiClient;
  /** The words after the command's name. */
  words: string[];
  values: ParsedFlags["values"];
  env: Environment;
  /** Output for results. */
  out: Terminal;
  /** Output for progress and remarks; nothing is printed for scripts. */
  err: Terminal;
  json: boolean;
  /** Whether somebody can answer questions. */
  interactive: boolean;
  interruptions: Interruptions;
}

/** One command of `fds`. */
export interface Command {
  /** The words after its name: `CLIENT [FILE]`. */
  words: string;
  /** Replaces the words in its own help, where more detail is needed. */
  usage?: string;
  /** Smallest and largest number of words. */
  count: [least: number, most: number];
  summary: string;
  flags: Record<string, Flag>;
  /** Its flags, for `--help`. */
  flagsHelp?: string;
  /** Further text for `--help`. */
  notes?: string;
  /** Lines for `--help`, without `fds`. */
  examples: string[];
  /** Runs the command; throws if it fails. */
  run(context: CommandContext): Promise<void>;
}

/** The value of a flag; undefined where it was not given. @throws UsageError */
export function readFlag<T>(
  { values }: CommandContext,
  flag: string,
  kind: Kind<T>,
): T | undefined {
  const text = values[flag];
  if (text === undefined) return undefined;
  return readSetting({ source: `--${flag}`, text: String(text) }, kind.schema, kind.expected);
}

/** The position from which a list continues: `next_cursor` of an earlier answer. */
export const CURSOR: Kind<string> = {
  schema: z.uuid(),
  expected: "the next_cursor of an earlier list",
};

/** A result in its three formats. */
export interface Result {
  /** For `--json`. */
  value: unknown;
  /** Lines for a terminal. */
  shown: (coloured: boolean) => string[];
  /** Lines for a pipe, with fields separated by tabs. */
  raw: () => string[];
}

/** Writes a result in the right format. */
export function print({ out, json }: CommandContext, { value, shown, raw }: Result): void {
  const lines = () => (out.live ? shown(out.colour) : raw());
  const texts = json ? [plainJson(value, out.live ? 2 : 0)] : lines();
  out.write(texts.map((line) => `${line}\n`).join(""));
}
