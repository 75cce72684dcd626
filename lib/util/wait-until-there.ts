import { setTimeout as sleep } from "node:timers/promises";
import { fullJitter } from "./backoff.ts";

/** The first and the longest wait between tries, in ms. */
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 2_000;

/** Something that is needed cannot be reached now; another try may work. */
export class Away extends Error {
  override name = "Away";
}

/**
 * Opens something, and tries again while it is away.
 * @param onAway called once, with the error of the first try
 * @param signal ends the wait, after one last try
 * @throws whatever `open` throws that is no {@link Away}; the last one where the wait is ended
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
    // Once it is ended, the next try is the last one.
    await sleep(wait, undefined, { signal }).catch(() => undefined);
  }
}
