/** The number of seconds in each unit of time, longest unit first. */
const UNITS = [
  ["d", 86_400],
  ["h", 3600],
  ["min", 60],
  ["s", 1],
] as const;

/** Formats a duration in its longest unit: `"42 s"`, `"5 min"`, `"3 h"`, `"12 d"`. */
export function formatSpan(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [name, size] = UNITS.find(([, unit]) => whole >= unit) ?? ["s", 1];
  return `${Math.floor(whole / size)} ${name}`;
}

/**
 * Formats the time since a moment: `"5 min ago"`.
 * @param time ISO 8601; null means never
 * @param now ms since 1970
 */
export function formatAge(time: string | null, now = Date.now()): string {
  return time === null ? "–" : `${formatSpan((now - Date.parse(time)) / 1000)} ago`;
}

/** Formats a moment in the user's time zone: `"2026-07-25 10:15:00"`. */
export function formatMoment(time: string): string {
  // The Swedish locale formats a time as ISO 8601, with a space in place of the T.
  return new Date(time).toLocaleString("sv-SE");
}
