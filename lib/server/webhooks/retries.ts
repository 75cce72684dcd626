const S = 1_000;
const M = 60 * S;
const H = 60 * M;

/** Delays before each further attempt to send a message, in ms: ten attempts in two and a half days. */
const WAITS = [5 * S, 30 * S, 2 * M, 10 * M, H, 4 * H, 10 * H, 20 * H, 24 * H];

/** Longest delay between two attempts to send a message, in ms. */
export const LONGEST_WAIT_MS = 24 * H * 1.2;

/** Longest time in which no message is sent to a receiver that could not be reached, in ms. */
const LONGEST_SILENCE_MS = 5 * M;

/**
 * Returns the delay before the next attempt to send a message, in ms. It is varied by up to 20 %, so that
 * messages that failed together are not retried together.
 * @param attempts number of attempts so far
 * @param retryAfterMs delay that the receiver demanded, in ms; null: none
 * @returns null: no further attempt is made
 */
export function waitAfter(
  attempts: number,
  retryAfterMs: number | null,
  random = Math.random,
): number | null {
  const wait = WAITS[attempts - 1];
  if (wait === undefined) return null;
  return Math.min(LONGEST_WAIT_MS, Math.max(jittered(wait, random), retryAfterMs ?? 0));
}

/**
 * Returns how long no message is sent to a receiver that could not be reached, in ms.
 * @param failures number of consecutive attempts without a connection
 */
export function silenceAfter(failures: number, random = Math.random): number {
  const wait = Math.min(LONGEST_SILENCE_MS, 2 * S * 2 ** Math.min(failures - 1, 20));
  return jittered(wait, random);
}

function jittered(ms: number, random: () => number): number {
  return Math.round(ms * (0.8 + 0.4 * random()));
}
