import { formatSize } from "../util/sizes.ts";

const UNITS = [
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
] as const;

const DAY_MS = 86_400_000;

const ago = new Intl.RelativeTimeFormat("en", { style: "short", numeric: "always" });
const day = { month: "short", day: "numeric" } as const;
const thisYear = new Intl.DateTimeFormat("en", {
  ...day,
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});
const anyYear = new Intl.DateTimeFormat("en", { ...day, year: "numeric" });

/**
 * Formats a moment, in the browser's time zone: `"just now"`, `"5 min. ago"`, after a day `"Nov 14, 22:13"`,
 * and in another year `"Nov 14, 2023"`.
 * @param time ISO 8601
 * @param now ms since 1970
 */
export function formatWhen(time: string, now: number): string {
  const at = Date.parse(time);
  if (now - at >= DAY_MS) {
    const isThisYear = new Date(at).getFullYear() === new Date(now).getFullYear();
    return (isThisYear ? thisYear : anyYear).format(at);
  }
  const seconds = Math.round((now - at) / 1000);
  if (seconds < 5) return "just now";
  const [unit, size] = UNITS.find(([, length]) => seconds >= length) ?? ["second", 1];
  return ago.format(-Math.floor(seconds / size), unit);
}

/** Formats a duration in its two largest units: `"0.4 s"`, `"42 s"`, `"3 min 5 s"`, `"2 h 10 min"`. */
export function formatSpan(seconds: number): string {
  if (seconds < 9.95 && !Number.isInteger(seconds)) return `${Math.max(0.1, seconds).toFixed(1)} s`;
  const whole = Math.ceil(seconds);
  const [minutes, hours] = [Math.floor(whole / 60), Math.floor(whole / 3600)];
  if (minutes === 0) return `${whole} s`;
  if (hours === 0) return `${minutes} min ${whole % 60} s`;
  return `${hours} h ${minutes % 60} min`;
}

/**
 * Matches invisible characters, such as control characters, bidi marks and zero-width characters, which can
 * make one name look like another. Characters that join letters and emoji do not match.
 */
const INVISIBLE =
  /[[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Default_Ignorable_Code_Point}]--[\u200C\u200D\p{Variation_Selector}\u{E0020}-\u{E007F}]]/gv;

/** Replaces each invisible character of a text from a site by its code point, as in `[U+200B]`. */
export function visible(text: string): string {
  return text
    .toWellFormed()
    .replace(
      INVISIBLE,
      (char) => `[U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}]`,
    );
}

const count = new Intl.NumberFormat("en");

/** Formats a number with separators: `"12,345"`. */
export function formatCount(number: number): string {
  return count.format(number);
}

/** Formats a rate: `"11.2 MiB/s"`. @param bytes bytes per second */
export function formatRate(bytes: number): string {
  return `${formatSize(bytes)}/s`;
}
