/**
 * Returns how long to wait before another try: exponential backoff with full jitter, so that many clients
 * that failed at the same moment do not try again at the same moment.
 * @param attempt number of waits before this one
 * @param baseMs upper bound of the first wait
 * @param capMs upper bound of every wait
 * @param random returns a number from 0 (included) to 1 (excluded)
 * @returns the wait, in ms
 */
export function fullJitter(
  attempt: number,
  baseMs: number,
  capMs: number,
  random: () => number = Math.random,
): number {
  return random() * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30));
}
