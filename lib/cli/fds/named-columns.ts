import type { ListingColumn } from "../terminal/listing.ts";
import { NAME_COLUMNS } from "../terminal/terminal.ts";
import { formatAge, formatMoment } from "../terminal/times.ts";

/* Columns that the lists of API tokens and of enrolment keys have in common. */

export const NAME_COLUMN: ListingColumn<{ name: string }> = {
  title: "name",
  importance: 9,
  minWidth: NAME_COLUMNS,
  shown: ({ name }) => name,
  raw: ({ name }) => name,
};

/**
 * Returns the column "state". The state "good" is green, any other is red.
 * @param stateOf returns "good", or why the token or key is no longer valid
 */
export function stateColumn<R>(stateOf: (record: R) => string): ListingColumn<R> {
  return {
    title: "state",
    importance: 7,
    shown: (record) => {
      const state = stateOf(record);
      return { text: state, colour: state === "good" ? "green" : "red" };
    },
    raw: stateOf,
  };
}

/**
 * Returns the column "expires".
 * @param importance rank of the column; a narrow terminal omits the columns with the lowest ranks first
 */
export function expiresColumn(importance: number): ListingColumn<{ expires_at: string | null }> {
  return {
    title: "expires",
    importance,
    shown: ({ expires_at }) => (expires_at === null ? "never" : formatMoment(expires_at)),
    raw: ({ expires_at }) => expires_at,
  };
}

export const MADE_COLUMN: ListingColumn<{ created_at: string }> = {
  title: "made",
  importance: 3,
  shown: ({ created_at }) => formatAge(created_at),
  raw: ({ created_at }) => created_at,
};
