import { FdsError } from "../../protocol/errors.ts";
import { systemCode } from "../../util/system-error.ts";
import { Refusal } from "../owner-rules/refusal.ts";

/** Why something that a pattern names does not come. */
export type Skipped = "not_settled" | "name_unusable" | "access_denied" | "file_unreadable";

/** A name that is not UTF-8: nobody can ask for it. */
export class NotText extends Error {}

/**
 * Why something that is there cannot be had.
 * @param error of the look at it
 * @param name as the folder gave it
 * @returns null where it is gone, or a link took its place
 * @throws the error where it tells nothing of a file
 */
export function reasonOf(error: unknown, name: string): Skipped | null {
  if (error instanceof FdsError) throw error;
  if (error instanceof Refusal) return null;
  if (error instanceof NotText) return "name_unusable";
  switch (systemCode(error)) {
    case null:
      throw error;
    case "ENOENT":
      // A name that is not UTF-8 is shown with this character, and is not found by it.
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
