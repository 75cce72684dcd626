import { FdsError } from "../../protocol/errors.ts";
import { systemCode } from "../../util/system-error.ts";
import { Refusal } from "../owner-rules/refusal.ts";

/** Why a file does not come that a pattern names. */
export type Skipped = "not_settled" | "name_unusable" | "access_denied" | "file_unreadable";

/** A name that is not UTF-8, so that nobody can ask for it. */
export class NotText extends Error {}

/**
 * Why an existing file cannot be had.
 * @param error of looking at it
 * @param name as the folder gave it
 * @returns null where it is gone, or a link took its place
 * @throws the error where it says nothing about a file
 */
export function reasonOf(error: unknown, name: string): Skipped | null {
  if (error instanceof FdsError) throw error;
  if (error instanceof Refusal) return null;
  if (error instanceof NotText) return "name_unusable";
  switch (systemCode(error)) {
    case null:
      throw error;
    case "ENOENT":
      // A name that is not UTF-8 is read with this character, and not found under it.
      return name.includes("\uFFFD") ? "name_unusable" : null;
    case "ENOTDIR":
    case "ELOOP":
      return null;
    case "EACCES":
    case "EPERM":
      return "access_denied";
    default:
      return "file_unreadable";
  }
}
