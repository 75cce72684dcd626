import * as z from "zod";
import type { NewDownload } from "../../api/schemas.ts";
import { asksForSet } from "../../api/set-words.ts";
import { MAX_SET_FILES, SetFields } from "../../api/sets.ts";
import { parseDuration } from "../../util/durations.ts";
import { type Flag, UsageError } from "../../util/flags.ts";
import { DURATION, type Kind, oneOf, size, wholeNumber } from "../../util/kinds.ts";
import { type CommandContext, readFlag } from "./command.ts";

/* Reads the patterns and flags with which `fds pull` requests a set. */

/** Flags of `fds pull` that only apply to sets. */
export const SET_FLAGS = {
  exclude: { type: "string", multiple: true },
  strict: { type: "boolean" },
  "skip-unchanged": { type: "boolean" },
  "min-age": { type: "string" },
  "if-none": { type: "string" },
  "max-files": { type: "string" },
  "max-bytes": { type: "string" },
} satisfies Record<string, Flag>;

export const SET_FLAGS_HELP = `  --exclude PATTERN
      of a set: leave these files out, such as '**/*.tmp'; repeatable
  --strict
      of a set: fail as soon as one file does not come (default: skip it, and say why)
  --skip-unchanged
      of a set: link what the server has stored already, as it still is, in place of sending it
  --min-age DURATION
      of a set: skip files that changed more recently, such as 15m
  --if-none fail|complete
      of a set: what happens when no file matches (default: fail)
  --max-files N, --max-bytes SIZE
      of a set: fail before the first byte when there are more (default: ${MAX_SET_FILES} files)`;

/** A duration such as `15m`. The value stays a text, as the API accepts the same notation. */
const MIN_AGE: Kind<string> = {
  schema: z.string().refine((text) => parseDuration(text) !== null),
  expected: DURATION.expected,
};
const IF_NONE = oneOf(["fail", "complete"]);
const MAX_FILES = wholeNumber(1, MAX_SET_FILES);
const MAX_BYTES = size(0);

/** The fields of a download request that describe a set. */
export type SetRequest = Pick<NewDownload, keyof typeof SetFields>;

/**
 * Reads the arguments after the client as patterns, and the flags for sets.
 * @returns null where a single file is meant: no flag for sets is given, and there is at most one argument,
 *   which is not a pattern and does not end in `/`
 * @throws UsageError for a wrong pattern or flag, and for a flag for sets without a pattern
 */
export function readSet(context: CommandContext, words: string[]): SetRequest | null {
  const flag = Object.keys(SET_FLAGS).find((name) => context.values[name] !== undefined);
  const [first = ""] = words;
  const isSet = flag !== undefined || words.length > 1 || asksForSet(first);
  if (!isSet) return null;
  if (words.length === 0) {
    throw new UsageError(`PATTERN is missing, expected fds pull CLIENT PATTERN --${flag}`);
  }
  const { values } = context;
  const { exclude } = values;
  const min_age = readFlag(context, "min-age", MIN_AGE);
  const if_none = readFlag(context, "if-none", IF_NONE);
  const max_files = readFlag(context, "max-files", MAX_FILES);
  const max_bytes = readFlag(context, "max-bytes", MAX_BYTES);
  return {
    paths: readPatterns("PATTERN", words),
    ...(Array.isArray(exclude) && { exclude: readPatterns("--exclude", exclude) }),
    ...(values["strict"] === true && { strict: true }),
    ...(values["skip-unchanged"] === true && { unchanged: "skip" as const }),
    ...(min_age !== undefined && { min_age }),
    ...(if_none !== undefined && { if_none }),
    ...(max_files !== undefined && { max_files }),
    ...(max_bytes !== undefined && { max_bytes }),
  };
}

/**
 * Checks patterns, and returns them.
 * @param source the name of the argument or flag, for error messages
 * @throws UsageError that names the wrong pattern
 */
function readPatterns(source: string, texts: string[]): string[] {
  const { error, data } = SetFields.paths.unwrap().safeParse(texts);
  if (data) return data;
  const [issue] = error.issues;
  const text = texts[Number(issue?.path[0])];
  const which = text === undefined ? source : `${source} "${text.slice(0, MAX_SHOWN)}"`;
  throw new UsageError(`${which}: ${issue?.message}`);
}

/** The maximum number of characters of a pattern that an error message shows. */
const MAX_SHOWN = 100;
