/**
 * How long to wait before try number `attempt` (0 is the first repeat): exponential with full
 * jitter, so that many that failed together do not come back together.
 * @param baseMs upper bound of the first wait
 * @param capMs upper bound of every wait
 * @param random from 0 up to, not including, 1
 * @returns ms
 */
export function fullJitter(
  attempt: number,
  baseMs: number,
  capMs: number,
  random: () => number = Math.random,
): number {
  return random() * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30));
}
