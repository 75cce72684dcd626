import { FdsError } from "../../protocol/errors.ts";

/** Somebody did something too often. */
export class RateLimited extends FdsError {
  /**
   * @param wait how long until it may be tried again, in ms
   * @param reason ends the sentence: `too many sign-ins failed`
   */
  constructor(
    readonly wait: number,
    reason: string,
  ) {
    super("rate_limited", `Wait ${Math.ceil(wait / 1000)} s, ${reason}`);
  }
}
