/*
 * Dates in paths: `{date}` stands for a local date, in any of several forms. A template is checked once,
 * when a request brings it, and filled in with the local time of the client's zone.
 */

/** Parts of a form. The characters between them stay as they are. */
const PARTS = ["yyyy", "yy", "MM", "dd", "HH", "mm", "ss"] as const;
type Part = (typeof PARTS)[number];

const PART = new RegExp(PARTS.join("|"), "g");

/** Characters allowed between parts; `T` is for ISO 8601. */
const BETWEEN = /^[-_. /T]*$/;

/** `{date}`, `{date:yyyyMMdd}`, `{date-1d}`, `{date-1d:yyyyMMdd}`. */
const DATE = /^\{date(?:-([1-9]\d{0,3})d)?(?::([^{}]*))?\}$/;

/** Text that begins like a date, up to its closing brace. */
const DATE_LIKE = /\{date[^{}]*\}?/g;

/** The same in a pattern, where a backslash takes the next character as it is. */
const ESCAPED_OR_DATE_LIKE = /\\.|\{date[^{}]*\}?/gs;

/** A local time for measuring: all have the same number of characters. */
export const ANY_LOCAL_TIME = "2026-11-30T02:30:00";

/** Whether the text is a path, or a pattern, in which `\{` is a plain brace. */
export type TemplateKind = "path" | "pattern";

/** Whether a text has a date, or what looks like one. */
export function hasDates(text: string, kind: TemplateKind = "path"): boolean {
  return datesIn(text, kind).length > 0;
}

/** A text without its dates. */
export function withoutDates(text: string): string {
  return text.replace(DATE_LIKE, "");
}

/** Why the dates of a text cannot be read, in a sentence; null if they can. */
export function flawOfDates(text: string, kind: TemplateKind): string | null {
  const wrong = datesIn(text, kind).find((date) => readDate(date) === null);
  if (wrong === undefined) return null;
  const forms = '"{date}", "{date:yyyyMMdd}", "{date-1d}" or "{date-1d:yyyyMMdd}"';
  return `"${wrong}" is no date, expected one such as ${forms} (yyyy yy MM dd HH mm ss)`;
}

/**
 * Fills in the dates of a text that has no flaw.
 * @param localTime `2026-11-30T02:30:00`
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
  const between = form.replace(PART, "");
  const isForm = between !== form && BETWEEN.test(between);
  return whole !== undefined && isForm ? { daysBefore: Number(days), form } : null;
}

/** The same time on an earlier day of the calendar. */
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
