import { plainText } from "../../util/plain-text.ts";
import { type Field, type ListingColumn, listingLines, listingTable } from "../terminal/listing.ts";
import { paint } from "../terminal/terminal.ts";
import { type CommandContext, print } from "./command.ts";

/** A list of things, with what is said where there is none. */
export interface Listing<T> {
  items: T[];
  columns: ListingColumn<T>[];
  /** The cells for a script; where not given, the columns. */
  fields?: Field<T>[];
  /** A remark on one item for a person, on a line of its own; null: none. */
  detailOf?: (item: T) => string | null;
  /** Said to a person where the list is empty. */
  none: string;
  /** Cursor of the next page; null: there is none. */
  nextCursor?: string | null;
}

/** Writes a list: a table for a person, fields for a pipe. @param value for `--json` */
export function printListing<T>(
  context: CommandContext,
  value: unknown,
  { items, columns, fields = columns, detailOf, none, nextCursor = null }: Listing<T>,
): void {
  const more = nextCursor === null ? [] : [`There are more: --cursor ${plainText(nextCursor)}`];
  const table = (coloured: boolean) => [
    ...listingTable(columns, items, context.out.columns(), coloured, detailOf),
    ...more.map((text) => paint(text, "dim", coloured)),
  ];
  print(context, {
    value,
    shown: (coloured) => (items.length === 0 ? [none] : table(coloured)),
    raw: () => listingLines(fields, items),
  });
}

/**
 * Writes a list of any length, page by page as they come: a table for a person, fields for a pipe.
 * @param valueOf makes what `--json` gives, at the end, of all of it
 */
export async function printPages<T>(
  context: CommandContext,
  pages: AsyncIterable<T[]>,
  { columns, fields = columns, detailOf, none }: Omit<Listing<T>, "items" | "nextCursor">,
  valueOf: (items: T[]) => unknown,
): Promise<void> {
  const { out, json } = context;
  const all: T[] = [];
  let isEmpty = true;
  for await (const items of pages) {
    if (json) all.push(...items);
    else if (items.length > 0)
      printListing(context, null, { items, columns, fields, detailOf, none });
    isEmpty &&= items.length === 0;
  }
  if (json) print(context, { value: valueOf(all), shown: () => [], raw: () => [] });
  else if (isEmpty && out.live) out.write(`${none}\n`);
}

/** Writes that something was done to one of them. @param done in a few words, for a person */
export function printDone<T>(
  context: CommandContext,
  item: T,
  fields: Field<T>[],
  done: string,
): void {
  print(context, {
    value: item,
    shown: (coloured) => [`${paint("✓", "green", coloured)} ${done}`],
    raw: () => listingLines(fields, [item]),
  });
}
