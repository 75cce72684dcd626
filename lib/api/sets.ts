import * as z from "zod";
import { Md5, Sha256 } from "../protocol/digest.ts";
import { DOWNLOAD_ERROR_CODES } from "../protocol/errors.ts";
import { MAX_SET_FILES } from "../protocol/messages.ts";
import { flawOfPatterns, MAX_PATTERN_LENGTH, MAX_PATTERNS } from "../protocol/patterns.ts";
import { parseDuration } from "../util/durations.ts";
import { SAMPLE_LOCAL_TIME, fillDates, flawOfDates } from "../util/path-dates.ts";
import { parseSize } from "../util/sizes.ts";
import { pageLimit } from "./page-limit.ts";
import { SavedPath } from "./saved-path.ts";

/* Schemas of sets in the REST interface. A set is a download of many files. */

export { MAX_SET_FILES };

const patterns = z
  .array(
    z
      .string()
      .min(1, "must not be empty")
      .max(MAX_PATTERN_LENGTH, `must be at most ${MAX_PATTERN_LENGTH} characters`)
      .refine((text) => !text.includes("\0"), "must not hold a NUL character"),
  )
  .max(MAX_PATTERNS, `must be at most ${MAX_PATTERNS} patterns`)
  .superRefine((texts, context) => {
    const dateFlaw = texts
      .map((text) => flawOfDates(text, "pattern"))
      .find((found) => found !== null);
    const filled = texts.map((text) => fillDates(text, "pattern", SAMPLE_LOCAL_TIME));
    const isTooLong = filled.some((text) => text.length > MAX_PATTERN_LENGTH);
    const flaw =
      dateFlaw ?? (isTooLong ? "is too long with its dates filled in" : flawOfPatterns(filled));
    if (flaw !== null) context.addIssue({ code: "custom", message: flaw });
  });

export const duration = z
  .string()
  .transform((text, context) => {
    const ms = parseDuration(text);
    if (ms !== null) return ms;
    context.addIssue({
      code: "custom",
      message: 'must be a duration such as "90s", "15m" or "12h"',
    });
    return z.NEVER;
  })
  .meta({ type: "string", description: 'such as "90s", "15m", "12h" or "7d"' });

const SIZE_EXPECTED = 'must be a size such as 1048576 or "5GiB"';

export const size = z
  .union([z.int().min(0), z.string()], SIZE_EXPECTED)
  .transform((given, context) => {
    const bytes = typeof given === "number" ? given : parseSize(given);
    if (bytes !== null) return bytes;
    context.addIssue({ code: "custom", message: SIZE_EXPECTED });
    return z.NEVER;
  })
  .meta({ type: ["integer", "string"], description: 'bytes, or a text such as "5GiB"' });

/** The fields of a request for a set. */
export const SetFields = {
  paths: patterns.min(1, "must name at least one pattern").optional().meta({
    description:
      "patterns of files, in place of file_path: *, ?, [a-z], {a,b}, ** for any depth, {date} for the date at the client",
  }),
  exclude: patterns.optional().meta({ description: "patterns of files that are left out" }),
  min_age: duration
    .optional()
    .meta({ description: "files changed more recently are left for later" }),
  unchanged: z.enum(["send", "skip"]).optional().meta({
    description:
      "skip: what is stored already, as it is, is linked and not sent again; send where not given",
  }),
  strict: z
    .boolean()
    .optional()
    .meta({ description: "the first file that does not come fails the set" }),
  if_none: z.enum(["fail", "complete"]).optional().meta({ description: "fail where not given" }),
  max_files: z.int().min(1).max(MAX_SET_FILES).optional(),
  max_bytes: size.optional(),
};

/** Names of the fields that are allowed only together with `paths`. */
const SET_ONLY_FIELDS = Object.keys(SetFields).filter((name) => name !== "paths");

/**
 * Checks that a request has at most one of `file_path` and `paths`, and fields of sets only together with
 * `paths`.
 */
export function checkSetFields(
  body: Record<string, unknown>,
  context: z.core.$RefinementCtx,
): void {
  const refuse = (field: string, message: string) =>
    context.addIssue({ code: "custom", path: [field], message, input: body });
  if (body["paths"] === undefined) {
    for (const field of SET_ONLY_FIELDS) {
      if (body[field] !== undefined) refuse(field, 'goes with "paths"');
    }
  } else if (body["file_path"] !== undefined) {
    refuse("paths", 'give either "file_path" or "paths"');
  }
}

export const SetFileStatus = z.enum(["received", "unchanged", "skipped"]);
export type SetFileStatus = z.infer<typeof SetFileStatus>;

export const SetFileRecord = z
  .object({
    path: z.string().meta({ description: "relative to its root at the site" }),
    saved_path: SavedPath.nullable(),
    size: z.int().min(0),
    modified_at: z.iso.datetime(),
    md5: Md5.nullable(),
    sha256: Sha256.nullable(),
    status: SetFileStatus,
    error_code: z.enum(DOWNLOAD_ERROR_CODES).nullable(),
    error: z.string().nullable(),
  })
  .meta({ id: "SetFile" });
export type SetFileRecord = z.infer<typeof SetFileRecord>;

export const SetFileList = z
  .object({
    files: z.array(SetFileRecord),
    next_cursor: z.string().nullable().meta({ description: "null: there are no more" }),
  })
  .meta({ id: "SetFileList" });
export type SetFileList = z.infer<typeof SetFileList>;

export const SetFileQuery = z.strictObject({
  status: SetFileStatus.optional(),
  limit: pageLimit(200),
  cursor: z
    .string()
    .regex(/^\d{1,6}$/, "must be the next_cursor of an earlier answer")
    .optional(),
});

export const ContentQuery = z.strictObject({
  path: z
    .string()
    .min(1)
    .max(4096)
    .optional()
    .meta({ description: "one file of a set, by its path" }),
});
