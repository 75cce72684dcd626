import { formatSize } from "../util/sizes.ts";

const UNITS = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
] as const;

const ago = new Intl.RelativeTimeFormat("en", { style: "short", numeric: "always" });

/**
 * How long ago something was: `"5 min. ago"`, or `"just now"`.
 * @param time ISO 8601
 * @param now ms since 1970
 */
export function formatAgo(time: string, now: number): string {
  const seconds = Math.round((now - Date.parse(time)) / 1000);
  if (seconds < 5) return "just now";
  const [unit, size] = UNITS.find(([, length]) => seconds >= length) ?? ["second", 1];
  return ago.format(-Math.floor(seconds / size), unit);
}

/** A span in its two longest units: `"0.4 s"`, `"42 s"`, `"3 min 5 s"`, `"2 h 10 min"`. */
export function formatSpan(seconds: number): string {
  if (seconds < 9.95 && !Number.isInteger(seconds)) return `${Math.max(0.1, seconds).toFixed(1)} s`;
  const whole = Math.ceil(seconds);
  const [minutes, hours] = [Math.floor(whole / 60), Math.floor(whole / 3600)];
  if (minutes === 0) return `${whole} s`;
  if (hours === 0) return `${minutes} min ${whole % 60} s`;
  return `${hours} h ${minutes % 60} min`;
}

/**
 * Text from a site as it can be shown: what has no shape of its own, or turns the direction of
 * writing to make a name look like another, is shown as its code point.
 */
export function visible(text: string): string {
  return text
    .toWellFormed()
    .replace(
      /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu,
      (char) => `[U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}]`,
    );
}

/** `"11.2 MiB/s"` @param bytes per second */
export function formatRate(bytes: number): string {
  return `${formatSize(bytes)}/s`;
}
