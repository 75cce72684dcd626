import { FdsError } from "../../protocol/errors.ts";
import { systemCode } from "../../util/system-error.ts";
import { Refusal } from "../owner-rules/refusal.ts";

/** Why a file that a pattern matches is not sent. */
export type SkipReason = "not_settled" | "name_unusable" | "access_denied" | "file_unreadable";

/** Thrown for a file name that is not valid UTF-8, so that no request can name the file. */
export class InvalidNameError extends Error {}

/**
 * Returns why an existing file cannot be sent.
 * @param error thrown when the file was opened or its attributes were read
 * @param name of the file, as read from its folder
 * @returns null if the file is gone or was replaced by a link, so that there is nothing to report
 * @throws the error itself if it is an FdsError, or an error that does not come from the file system
 */
export function skipReasonOf(error: unknown, name: string): SkipReason | null {
  if (error instanceof FdsError) throw error;
  if (error instanceof Refusal) return null;
  if (error instanceof InvalidNameError) return "name_unusable";
  switch (systemCode(error)) {
    case null:
      throw error;
    case "ENOENT":
      // U+FFFD in a name stands for bytes that are not UTF-8. The file system knows no file of this decoded
      // name.
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
