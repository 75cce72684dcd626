import type { Keep } from "../../api/keep.ts";

/* How long what comes is kept, as a person fills it in and reads it. Pure. */

/** The fields of a form, as they were typed. */
export interface KeepFields {
  keepDays: string;
  keepLast: string;
}

/** The rule that the fields mean; null: as the server keeps all that has none. */
export function keepOf({ keepDays, keepLast }: KeepFields): Keep | null {
  if (keepDays === "" && keepLast === "") return null;
  return {
    ...(keepDays !== "" && { days: Number(keepDays) }),
    ...(keepLast !== "" && { last: Number(keepLast) }),
  };
}

/** `"kept 90 days or the last 7 kept"`; null: there is no rule. */
export function keptOf(keep: Keep | null): string | null {
  if (keep === null) return null;
  const words = [
    ...(keep.days === undefined ? [] : [`kept ${keep.days} ${keep.days === 1 ? "day" : "days"}`]),
    ...(keep.last === undefined ? [] : [`the last ${keep.last} kept`]),
  ];
  return words.join(" or ");
}
