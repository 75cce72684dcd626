const S = 1_000;
const M = 60 * S;
const H = 60 * M;

/** The wait before each further attempt, in ms: ten attempts in two and a half days. */
const WAITS = [5 * S, 30 * S, 2 * M, 10 * M, H, 4 * H, 10 * H, 20 * H, 24 * H];

/** No wait is longer, in ms. */
export const LONGEST_WAIT_MS = 24 * H * 1.2;

/** The longest wait for a receiver that nobody reaches, in ms. */
const LONGEST_SILENCE_MS = 5 * M;

/**
 * How long to wait before the next attempt, in ms, a fifth more or less: what failed together does
 * not come back together.
 * @param attempts how many there were
 * @param retryAfterMs what the receiver asks for; null: nothing
 * @returns null: there is no other attempt
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
 * How long a receiver is left alone that nobody reached so many times in a row, in ms: whatever waits
 * for it would meet the same.
 */
export function silenceAfter(failures: number, random = Math.random): number {
  const wait = Math.min(LONGEST_SILENCE_MS, 2 * S * 2 ** Math.min(failures - 1, 20));
  return jittered(wait, random);
}

function jittered(ms: number, random: () => number): number {
  return Math.round(ms * (0.8 + 0.4 * random()));
}
