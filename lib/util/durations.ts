const UNITS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The longest duration, in ms: 100 years. Now plus this duration is still a valid date. */
export const MAX_DURATION = 36_500 * 86_400_000;

/**
 * Reads a duration: a whole number with s, m, h or d (`"30d"`).
 * @returns ms, or null if the text is no duration
 */
export function parseDuration(text: string): number | null {
  const [, number, unit = ""] = /^(\d{1,9})([smhd])$/.exec(text.trim()) ?? [];
  const ms = Number(number) * (UNITS[unit] ?? NaN);
  return ms <= MAX_DURATION ? ms : null;
}
