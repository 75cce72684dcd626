/**
 * A clock that nobody sets, in ms since 1970: the wall clock at the start of the program, and the time
 * that passed since. Lifetimes are measured by it. Times that a person reads come from `Date`.
 */
export function steadyNow(): number {
  return Math.floor(performance.timeOrigin + performance.now());
}
