import { FdsError } from "../protocol/errors.ts";
import { CLIENT_ERROR_CODES } from "../protocol/messages.ts";

type ClientErrorCode = (typeof CLIENT_ERROR_CODES)[number];

/**
 * Turns an error into the code and message that are sent to the server. An error whose code clients may not
 * send becomes `file_unreadable`.
 */
export function clientErrorOf(error: unknown): { code: ClientErrorCode; message: string } {
  const message = error instanceof Error ? error.message : String(error);
  const code = CLIENT_ERROR_CODES.find(
    (known) => error instanceof FdsError && error.code === known,
  );
  return { code: code ?? "file_unreadable", message };
}
