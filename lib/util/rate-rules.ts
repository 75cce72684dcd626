import { formatSize, parseSize } from "./sizes.ts";
import { localClock } from "./time-zone.ts";

/** A limit on the rate of transfers, for some hours of the day or for any time. */
export interface RateRule {
  /** The limit in bytes a second; null means no limit. */
  rate: number | null;
  /** Range in minutes since local midnight, `to` excluded; null means any time. */
  hours: { from: number; to: number } | null;
}

/** Highest number of rules in one setting: one for each half hour of a day. */
const MAX_RULES = 48;
const MINUTE_MS = 60_000;
const DAY_MINUTES = 24 * 60;

/** A text of rate rules is invalid. The message says what was expected, and in which rule. */
export class RateRulesError extends Error {
  override name = "RateRulesError";
}

/**
 * Parses rate limits by the hour of the day, such as `"256KiB@08:00-22:00,off"`.
 * @param minRate lowest valid rate, in bytes a second
 * @throws RateRulesError with a message to put behind "expected"
 */
export function parseRateRules(text: string, minRate: number): RateRule[] {
  const parts = text.split(",");
  if (parts.length > MAX_RULES) throw new RateRulesError(`at most ${MAX_RULES} rules`);
  const rules = parts.map((part, index) => {
    const place = parts.length > 1 ? ` in rule ${index + 1}, "${part.trim()}"` : "";
    return parseRule(part.trim(), minRate, place);
  });
  const anyTimeIndex = rules.findIndex(({ hours }) => hours === null);
  if (anyTimeIndex !== -1 && anyTimeIndex < rules.length - 1) {
    const place = `rule ${anyTimeIndex + 1}, "${parts[anyTimeIndex]?.trim()}"`;
    throw new RateRulesError(`the rule without hours as the last one, and not as ${place}`);
  }
  return rules;
}

function parseRule(text: string, minRate: number, place: string): RateRule {
  const [rateText = "", hoursText, extra] = text.split("@");
  const rate = rateText.trim() === "off" ? null : parseSize(rateText);
  if (rate !== null ? rate < minRate : rateText.trim() !== "off") {
    const range = `a size of at least ${formatSize(minRate)}`;
    throw new RateRulesError(`${range}, in bytes or such as "1MiB", or "off"${place}`);
  }
  if (hoursText === undefined) return { rate, hours: null };
  const hours = extra === undefined ? parseHours(hoursText.trim()) : null;
  if (hours) return { rate, hours };
  throw new RateRulesError(`hours such as "08:00-22:00" or "22:00-06:00" behind the @${place}`);
}

/** Parses hours such as `22:00-06:00`. @returns null if the text is no such range */
function parseHours(text: string): RateRule["hours"] {
  const match = /^(\d\d):([0-5]\d) ?- ?(\d\d):([0-5]\d)$/.exec(text);
  if (!match) return null;
  const [, hour = NaN, minute = NaN, endHour = NaN, endMinute = NaN] = match.map(Number);
  const [from, to] = [hour * 60 + minute, endHour * 60 + endMinute];
  return from === to || from >= DAY_MINUTES || to > DAY_MINUTES ? null : { from, to };
}

/**
 * Returns the rate of the first rule that covers a minute since local midnight; null if there is no limit.
 */
export function rateAt(rules: readonly RateRule[], minute: number): number | null {
  return rules.find(({ hours }) => !hours || isWithin(hours, minute))?.rate ?? null;
}

/** Reports whether a minute is in a range. If `to` is before `from`, the range continues over midnight. */
function isWithin({ from, to }: { from: number; to: number }, minute: number): boolean {
  return from < to ? minute >= from && minute < to : minute >= from || minute < to;
}

/**
 * Returns a function that gives the rate limit of the present moment. The rules are evaluated only when the
 * minute of the clock changes.
 * @param timeZone IANA name of the zone whose local time the rules mean
 * @param now returns ms since 1970
 * @returns a function that returns bytes a second; null if there is no limit
 */
export function rateByHour(
  rules: readonly RateRule[],
  timeZone: string,
  now: () => number = Date.now,
): () => number | null {
  if (rules.every(({ hours }) => !hours)) return () => rules[0]?.rate ?? null;
  const minuteOf = localClock(timeZone);
  let cached = { minute: NaN, rate: null as number | null };
  return () => {
    const minute = Math.floor(now() / MINUTE_MS);
    if (minute !== cached.minute) {
      cached = { minute, rate: rateAt(rules, minuteOf(minute * MINUTE_MS)) };
    }
    return cached.rate;
  };
}
