import type { ListingColumn } from "../terminal/listing.ts";
import { NAME_COLUMNS } from "../terminal/terminal.ts";
import { formatAge, formatMoment } from "../terminal/times.ts";

/* The columns that lists of tokens and of enrolment keys have in common. */

export const NAME_COLUMN: ListingColumn<{ name: string }> = {
  title: "name",
  importance: 9,
  least: NAME_COLUMNS,
  shown: ({ name }) => name,
  raw: ({ name }) => name,
};

/** @param stateOf "good", or why it is good no more */
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

/** @param importance among the other columns: the least important ones are left out where there is no room */
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
