/** Seconds in each unit, longest first. */
const UNITS = [
  ["d", 86_400],
  ["h", 3600],
  ["min", 60],
  ["s", 1],
] as const;

/** A span for a person, in its longest unit: `"42 s"`, `"5 min"`, `"3 h"`, `"12 d"`. */
export function formatSpan(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [name, size] = UNITS.find(([, unit]) => whole >= unit) ?? ["s", 1];
  return `${Math.floor(whole / size)} ${name}`;
}

/**
 * Time since a moment: `"5 min ago"`.
 * @param time ISO 8601; null: never
 * @param now ms since 1970
 */
export function formatAge(time: string | null, now = Date.now()): string {
  return time === null ? "–" : `${formatSpan((now - Date.parse(time)) / 1000)} ago`;
}

/** A moment in the person's time zone: `"2026-07-25 10:15:00"`. */
export function formatMoment(time: string): string {
  // The Swedish format is ISO 8601 with a space.
  return new Date(time).toLocaleString("sv-SE");
}
