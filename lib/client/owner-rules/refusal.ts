import { FdsError } from "../../protocol/errors.ts";
import { systemCode } from "../../util/system-error.ts";

/**
 * Maximum number of characters of a path in an error message, because the protocol limits the length of
 * messages.
 */
const MAX_QUOTED_CHARS = 500;

/**
 * The reason why a path is not served. {@link explain} turns it into an FdsError with the path that was
 * requested.
 */
export class Refusal extends Error {
  constructor(
    readonly code:
      "outside" | "denied" | "missing" | "not_regular" | "size_unknown" | "too_large" | "changed",
  ) {
    super(code);
  }
}

/**
 * Returns the error to show to an operator. The original error, which may contain real paths, does not leave
 * the site.
 * @param error a Refusal or an error of the system; any other error is thrown again
 */
export function explain(error: unknown, filePath: string): FdsError {
  const quoted = `"${filePath.slice(0, MAX_QUOTED_CHARS)}${filePath.length > MAX_QUOTED_CHARS ? "…" : ""}"`;
  const reason = error instanceof Refusal ? error.code : systemCode(error);
  switch (reason) {
    case null:
      throw error;
    case "outside":
      return new FdsError("access_denied", `${quoted} is not in a folder that the client serves`);
    case "denied":
      return new FdsError(
        "access_denied",
        `${quoted} is not among the files that the client serves`,
      );
    case "missing":
    case "ENOENT":
    case "ENOTDIR":
    case "ENAMETOOLONG":
      return new FdsError("file_not_found", `the client has no file ${quoted}`, { cause: error });
    case "not_regular":
      return new FdsError("not_a_regular_file", `${quoted} is not a regular file`);
    case "size_unknown":
      return new FdsError(
        "not_a_regular_file",
        `${quoted} is not a regular file, its size is not known`,
      );
    case "too_large":
      return new FdsError(
        "file_unreadable",
        `${quoted} has more bytes than can be sent, ${Number.MAX_SAFE_INTEGER}`,
      );
    // A symbolic link was made, changed or removed while the file was being opened.
    case "ELOOP":
    case "EINVAL":
    case "changed":
      return new FdsError("file_unreadable", `${quoted} was moved while it was opened`);
    case "EACCES":
    case "EPERM":
      return new FdsError("access_denied", `the client may not read ${quoted}`, { cause: error });
    default:
      return new FdsError("file_unreadable", `the client cannot read ${quoted}: ${reason}`, {
        cause: error,
      });
  }
}
