import { formatSize, parseSize } from "./sizes.ts";
import { localClock } from "./time-zone.ts";

/** A rate for some hours of the day. */
export interface RateRule {
  /** Bytes a second; null: without a limit. */
  rate: number | null;
  /** Minutes of the local day, the second one not included; null: at any time. */
  hours: { from: number; to: number } | null;
}

/** More rules than a person writes for a day. */
const MAX_RULES = 48;
const MINUTE_MS = 60_000;
const DAY_MINUTES = 24 * 60;

/** The rules cannot be read; the message says what was expected, and where. */
export class RateRulesError extends Error {
  override name = "RateRulesError";
}

/**
 * Reads rates by the hour, such as `"256KiB@08:00-22:00,off"`.
 * @param least rate that is taken, in bytes a second
 * @throws RateRulesError whose message ends the sentence "expected …"
 */
export function parseRateRules(text: string, least: number): RateRule[] {
  const parts = text.split(",");
  if (parts.length > MAX_RULES) throw new RateRulesError(`at most ${MAX_RULES} rules`);
  const rules = parts.map((part, index) => {
    const place = parts.length > 1 ? ` in rule ${index + 1}, "${part.trim()}"` : "";
    return parseRule(part.trim(), least, place);
  });
  const rest = rules.findIndex(({ hours }) => hours === null);
  if (rest !== -1 && rest < rules.length - 1) {
    const place = `rule ${rest + 1}, "${parts[rest]?.trim()}"`;
    throw new RateRulesError(`the rule without hours as the last one, and not as ${place}`);
  }
  return rules;
}

function parseRule(text: string, least: number, place: string): RateRule {
  const [rateText = "", hoursText, more] = text.split("@");
  const rate = rateText.trim() === "off" ? null : parseSize(rateText);
  if (rate !== null ? rate < least : rateText.trim() !== "off") {
    const range = `a size of at least ${formatSize(least)}`;
    throw new RateRulesError(`${range}, in bytes or such as "1MiB", or "off"${place}`);
  }
  if (hoursText === undefined) return { rate, hours: null };
  const hours = more === undefined ? parseHours(hoursText.trim()) : null;
  if (hours) return { rate, hours };
  throw new RateRulesError(`hours such as "08:00-22:00" or "22:00-06:00" behind the @${place}`);
}

/** @returns null where the text is no range of hours */
function parseHours(text: string): RateRule["hours"] {
  const match = /^(\d\d):([0-5]\d) ?- ?(\d\d):([0-5]\d)$/.exec(text);
  if (!match) return null;
  const [, hour = NaN, minute = NaN, endHour = NaN, endMinute = NaN] = match.map(Number);
  const [from, to] = [hour * 60 + minute, endHour * 60 + endMinute];
  return from === to || from >= DAY_MINUTES || to > DAY_MINUTES ? null : { from, to };
}

/** The rate of the first rule that covers a minute of the local day; null: no limit. */
export function rateAt(rules: readonly RateRule[], minute: number): number | null {
  return rules.find(({ hours }) => !hours || isWithin(hours, minute))?.rate ?? null;
}

/** A range that ends before it begins goes on over midnight. */
function isWithin({ from, to }: { from: number; to: number }, minute: number): boolean {
  return from < to ? minute >= from && minute < to : minute >= from || minute < to;
}

/**
 * Gives the rate that holds now. It is looked up once a minute, as offsets of time zones are whole minutes;
 * a change of the clock counts at once.
 * @param timeZone IANA name
 * @param now ms since 1970
 * @returns bytes a second; null: no limit
 */
export function rateByHour(
  rules: readonly RateRule[],
  timeZone: string,
  now: () => number = Date.now,
): () => number | null {
  if (rules.every(({ hours }) => !hours)) return () => rules[0]?.rate ?? null;
  const minuteOf = localClock(timeZone);
  let known = { minute: NaN, rate: null as number | null };
  return () => {
    const minute = Math.floor(now() / MINUTE_MS);
    if (minute !== known.minute) {
      known = { minute, rate: rateAt(rules, minuteOf(minute * MINUTE_MS)) };
    }
    return known.rate;
  };
}
