/**
 * Returns the ms since 1970 by a clock that never jumps: the wall clock at the start of the process, plus the
 * time since then. It decides when something expires. Times that people see come from `Date` instead.
 */
export function steadyNow(): number {
  return Math.floor(performance.timeOrigin + performance.now());
}
