import type { DownloadRecord } from "./schemas.ts";

/**
 * Maximum number of patterns that {@link lackOf} quotes, and maximum number of characters that it quotes of
 * each pattern.
 */
const MAX_QUOTED = 3;
const MAX_LENGTH = 60;

/**
 * Describes the patterns of a set that no file matches, as in `no file matches "*.csv"`. Returns null if
 * there are no such patterns, or they are not known yet.
 */
export function lackOf({
  unmatched_paths,
}: Pick<DownloadRecord, "unmatched_paths">): string | null {
  if (!unmatched_paths?.length) return null;
  const names = unmatched_paths.slice(0, MAX_QUOTED).map((pattern) => `"${shortened(pattern)}"`);
  const more = unmatched_paths.length - names.length;
  return `no file matches ${names.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function shortened(text: string): string {
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text;
}
