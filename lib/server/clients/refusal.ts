import { FdsError } from "../../protocol/errors.ts";
import type { Introduction } from "../../protocol/messages.ts";
import type { Logger } from "../../util/logger.ts";

/**
 * Logs why a client was not registered.
 * @param error anything that was thrown during the registration
 * @returns the error to send to the client
 */
export function logRefusal(
  error: unknown,
  { client_id, enroll_token }: Introduction,
  { remoteAddress, logger }: { remoteAddress: string; logger: Logger },
): FdsError {
  if (!(error instanceof FdsError)) {
    logger.error("registration failed", { remote_address: remoteAddress }, error);
    return new FdsError("internal_error", "the server could not register the client");
  }
  const fields = { code: error.code, client_id, remote_address: remoteAddress };
  // This refusal is no reason for a warning. A client that started with an existing key sends its enrolment
  // token only after this refusal.
  if (error.code === "enrolment_required" && enroll_token === undefined) {
    logger.info("client has to enrol", fields);
  } else {
    logger.warn(`registration refused: ${error.message}`, fields);
  }
  return error;
}
