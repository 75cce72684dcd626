import { setTimeout as sleep } from "node:timers/promises";
import { fullJitter } from "./backoff.ts";

/** Upper bounds of the first wait and of any wait between two tries, in ms. */
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 2_000;

/**
 * Something that a program needs to start, such as the database, is not reachable now. A retry may succeed.
 */
export class Away extends Error {
  override name = "Away";
}

/**
 * Calls `open`, such as a function that connects to a database, again and again while it throws {@link Away}.
 * @param onAway called once, with the error of the first try if that is an {@link Away}
 * @param signal when it is aborted, one last try is made
 * @returns the result of `open`
 * @throws any error of `open` other than {@link Away}, and the last error after `signal` was aborted
 */
export async function waitUntilThere<T>(
  open: () => Promise<T>,
  onAway: (error: Away) => void,
  signal: AbortSignal,
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await open();
    } catch (error) {
      if (!(error instanceof Away) || signal.aborted) throw error;
      if (attempt === 0) onAway(error);
    }
    const wait = fullJitter(attempt, FIRST_WAIT_MS, LONGEST_WAIT_MS);
    // An aborted signal ends this wait early, and the next try is the last one.
    await sleep(wait, undefined, { signal }).catch(() => undefined);
  }
}
