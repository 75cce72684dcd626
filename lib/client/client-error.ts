import { FdsError } from "../protocol/errors.ts";
import { CLIENT_ERROR_CODES } from "../protocol/messages.ts";

type ClientErrorCode = (typeof CLIENT_ERROR_CODES)[number];

/** What the server is told of an error: a code that clients may send, and a sentence. */
export function clientErrorOf(error: unknown): { code: ClientErrorCode; message: string } {
  const message = error instanceof Error ? error.message : String(error);
  const code = CLIENT_ERROR_CODES.find(
    (known) => error instanceof FdsError && error.code === known,
  );
  return { code: code ?? "file_unreadable", message };
}
