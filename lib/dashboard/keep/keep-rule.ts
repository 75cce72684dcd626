import type { Keep } from "../../api/keep.ts";

/*
 * Converts form fields to rules of retention, and these rules to text. Pure functions.
 */

/**
 * The two form fields of a retention rule, as typed: how many days results are kept, and how many of the
 * newest results are kept.
 */
export interface KeepFields {
  keepDays: string;
  keepLast: string;
}

/**
 * Converts form fields to a retention rule.
 * @returns null if both are empty: then the server's default applies
 */
export function keepRuleOf({ keepDays, keepLast }: KeepFields): Keep | null {
  if (keepDays === "" && keepLast === "") return null;
  return {
    ...(keepDays !== "" && { days: Number(keepDays) }),
    ...(keepLast !== "" && { last: Number(keepLast) }),
  };
}

/** Formats a retention rule: `"kept 90 days or the last 7 kept"`. @returns null if there is no rule */
export function keepTextOf(keep: Keep | null): string | null {
  if (keep === null) return null;
  const words = [
    ...(keep.days === undefined ? [] : [`kept ${keep.days} ${keep.days === 1 ? "day" : "days"}`]),
    ...(keep.last === undefined ? [] : [`the last ${keep.last} kept`]),
  ];
  return words.join(" or ");
}
