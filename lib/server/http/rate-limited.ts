import { FdsError } from "../../protocol/errors.ts";

/** The error for a caller who does something more often than allowed. */
export class RateLimited extends FdsError {
  /**
   * Creates the error.
   * @param wait time until the next try, in ms
   * @param reason reason for the message, such as `too many sign-ins failed`
   */
  constructor(
    readonly wait: number,
    reason: string,
  ) {
    super("rate_limited", `Wait ${Math.ceil(wait / 1000)} s, ${reason}`);
  }
}
