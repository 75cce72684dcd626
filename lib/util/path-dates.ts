/*
 * Dates in requested paths: `{date}` stands for the local date at a client, such as `2026-11-30`. A path is
 * checked when it is requested. The date is filled in later, for each client by its time zone.
 */

/** Parts of a date format such as `yyyy-MM-dd`, each replaced by digits. Characters in between are kept. */
const PARTS = ["yyyy", "yy", "MM", "dd", "HH", "mm", "ss"] as const;
type Part = (typeof PARTS)[number];

const PART = new RegExp(PARTS.join("|"), "g");

/** Characters allowed between the parts of a date format. `T` is for ISO 8601, as in `yyyy-MM-ddTHH`. */
const SEPARATORS = /^[-_. /T]*$/;

/** Matches a valid date placeholder: `{date}`, `{date:yyyyMMdd}`, `{date-1d}`, `{date-1d:yyyyMMdd}`. */
const DATE = /^\{date(?:-([1-9]\d{0,3})d)?(?::([^{}]*))?\}$/;

/** Matches text that begins like a date placeholder, valid or not, up to its closing brace. */
const DATE_LIKE = /\{date[^{}]*\}?/g;

/**
 * Matches date placeholders in a glob pattern. Also matches `\` with the next character, as an escaped brace
 * does not begin a placeholder.
 */
const ESCAPED_OR_DATE_LIKE = /\\.|\{date[^{}]*\}?/gs;

/** A sample local time, to check how long a path becomes when its dates are filled in. */
export const SAMPLE_LOCAL_TIME = "2026-11-30T02:30:00";

/** Whether a text with dates is a path, or a glob pattern, in which `\{` is a literal brace. */
export type TemplateKind = "path" | "pattern";

/** Reports whether a text contains `{date…}`, even with a mistake in it. */
export function hasDates(text: string, kind: TemplateKind = "path"): boolean {
  return datesIn(text, kind).length > 0;
}

/** Removes all `{date…}` from a text. */
export function withoutDates(text: string): string {
  return text.replace(DATE_LIKE, "");
}

/** Returns a sentence on the first invalid `{date…}` of a text; null if all are valid. */
export function flawOfDates(text: string, kind: TemplateKind): string | null {
  const wrong = datesIn(text, kind).find((date) => readDate(date) === null);
  if (wrong === undefined) return null;
  const forms = '"{date}", "{date:yyyyMMdd}", "{date-1d}" or "{date-1d:yyyyMMdd}"';
  return `"${wrong}" is no date, expected one such as ${forms} (yyyy yy MM dd HH mm ss)`;
}

/**
 * Replaces each `{date…}` of a text by its date.
 * @param localTime local time without an offset, such as `2026-11-30T02:30:00`
 */
export function fillDates(text: string, kind: TemplateKind, localTime: string): string {
  return text.replace(matcher(kind), (match) => {
    const date = match.startsWith("\\") ? null : readDate(match);
    return date === null ? match : format(date.form, dayBefore(localTime, date.daysBefore));
  });
}

function matcher(kind: TemplateKind): RegExp {
  return kind === "path" ? DATE_LIKE : ESCAPED_OR_DATE_LIKE;
}

function datesIn(text: string, kind: TemplateKind): string[] {
  const found = text.match(matcher(kind)) ?? [];
  return found.filter((match) => !match.startsWith("\\"));
}

function readDate(text: string): { daysBefore: number; form: string } | null {
  const [whole, days = "0", form = "yyyy-MM-dd"] = DATE.exec(text) ?? [];
  const separators = form.replace(PART, "");
  const isForm = separators !== form && SEPARATORS.test(separators);
  return whole !== undefined && isForm ? { daysBefore: Number(days), form } : null;
}

/** Returns the same time of day, a number of calendar days earlier. */
function dayBefore(localTime: string, days: number): string {
  const date = new Date(`${localTime}Z`);
  date.setUTCDate(date.getUTCDate() - days);
  return date.toISOString();
}

function format(form: string, iso: string): string {
  const parts: Record<Part, string> = {
    yyyy: iso.slice(0, 4),
    yy: iso.slice(2, 4),
    MM: iso.slice(5, 7),
    dd: iso.slice(8, 10),
    HH: iso.slice(11, 13),
    mm: iso.slice(14, 16),
    ss: iso.slice(17, 19),
  };
  return form.replace(PART, (part) => parts[part as Part]);
}
