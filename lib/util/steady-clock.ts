/**
 * Ms since 1970, as the wall clock said when the program began and as time went on since: what is
 * to last a time neither ends sooner nor lives longer because somebody sets the clock. What a
 * person reads the time of comes from `Date`.
 */
export function steadyNow(): number {
  return Math.floor(performance.timeOrigin + performance.now());
}
