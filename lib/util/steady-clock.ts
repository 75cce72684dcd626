/**
 * A monotonic clock in ms since 1970: the wall clock at the start of the program plus the time that has
 * passed since. For lifetimes; times that a person reads come from `Date`.
 */
export function steadyNow(): number {
  return Math.floor(performance.timeOrigin + performance.now());
}
