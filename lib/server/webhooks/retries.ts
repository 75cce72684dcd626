const S = 1_000;
const M = 60 * S;
const H = 60 * M;

/** Wait before each further attempt, in ms: ten attempts in two and a half days. */
const WAITS = [5 * S, 30 * S, 2 * M, 10 * M, H, 4 * H, 10 * H, 20 * H, 24 * H];

/** Longest wait, in ms. */
export const LONGEST_WAIT_MS = 24 * H * 1.2;

/** Longest pause for an unreachable receiver, in ms. */
const LONGEST_SILENCE_MS = 5 * M;

/**
 * The wait before the next attempt, in ms, varied by a fifth so that messages that failed together are not
 * retried together.
 * @param attempts how many there were
 * @param retryAfterMs what the receiver asks for; null: nothing
 * @returns null: there is no further attempt
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
 * The pause after a receiver could not be reached this many times in a row, in ms, as all its messages
 * would fail.
 */
export function silenceAfter(failures: number, random = Math.random): number {
  const wait = Math.min(LONGEST_SILENCE_MS, 2 * S * 2 ** Math.min(failures - 1, 20));
  return jittered(wait, random);
}

function jittered(ms: number, random: () => number): number {
  return Math.round(ms * (0.8 + 0.4 * random()));
}
