import * as z from "zod";
import { type Flag, type ParsedFlags, readSetting } from "../../util/flags.ts";
import { plainJson } from "../../util/plain-text.ts";
import type { Kind } from "../../util/kinds.ts";
import type { Environment } from "../../util/settings.ts";
import type { ApiClient } from "../rest/api-client.ts";
import type { Interruptions } from "../program.ts";
import type { Terminal } from "../terminal/terminal.ts";

/** What a command is given to work with. */
export interface CommandContext {
  api: ApiClient;
  /** The words after the command's name. */
  words: string[];
  values: ParsedFlags["values"];
  env: Environment;
  /** Output for results. */
  out: Terminal;
  /** Output for progress and remarks; silent where a script reads. */
  err: Terminal;
  json: boolean;
  /** True where somebody can answer a question. */
  interactive: boolean;
  interruptions: Interruptions;
}

/** One command of `fds`. */
export interface Command {
  /** The words after its name: `CLIENT [FILE]`. */
  words: string;
  /** What its own help has in their place, where that is longer. */
  usage?: string;
  /** Least and most words. */
  count: [least: number, most: number];
  summary: string;
  flags: Record<string, Flag>;
  /** Its flags, for `--help`. */
  flagsHelp?: string;
  /** Further text for `--help`. */
  notes?: string;
  /** Lines for `--help`, without `fds`. */
  examples: string[];
  /** Resolves when what was asked is done; throws where it is not. */
  run(context: CommandContext): Promise<void>;
}

/** A flag of a command; undefined where it was not given. @throws UsageError */
export function readFlag<T>(
  { values }: CommandContext,
  flag: string,
  kind: Kind<T>,
): T | undefined {
  const text = values[flag];
  if (text === undefined) return undefined;
  return readSetting({ source: `--${flag}`, text: String(text) }, kind.schema, kind.expected);
}

/** The place from which a list goes on: the `next_cursor` of an earlier answer. */
export const CURSOR: Kind<string> = {
  schema: z.uuid(),
  expected: "the next_cursor of an earlier list",
};

/** A result in its three forms. */
export interface Result {
  /** With `--json`. */
  value: unknown;
  /** Lines for a person at a terminal. */
  shown: (coloured: boolean) => string[];
  /** Lines for a pipe: fields with tabs between them. */
  raw: () => string[];
}

/** Writes a result in the form that fits. */
export function print({ out, json }: CommandContext, { value, shown, raw }: Result): void {
  const lines = () => (out.live ? shown(out.colour) : raw());
  const texts = json ? [plainJson(value, out.live ? 2 : 0)] : lines();
  out.write(texts.map((line) => `${line}\n`).join(""));
}
