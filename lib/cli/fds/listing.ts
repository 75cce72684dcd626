import { plainText } from "../../util/plain-text.ts";
import { type Field, type ListingColumn, listingLines, listingTable } from "../terminal/listing.ts";
import { paint } from "../terminal/terminal.ts";
import { type CommandContext, print } from "./command.ts";

/** A list, and the text for an empty one. */
export interface Listing<T> {
  items: T[];
  columns: ListingColumn<T>[];
  /** Cells for a script; by default, the columns. */
  fields?: Field<T>[];
  /** A remark on an item for a person, on its own line; null: none. */
  detailOf?: (item: T) => string | null;
  /** Text for a person where the list is empty. */
  none: string;
  /** Cursor of the next page; null: no more. */
  nextCursor?: string | null;
}

/** Prints a list: a table for a person, fields for a pipe. @param value for `--json` */
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
 * Prints a list of any length, page by page: a table for a person, fields for a pipe.
 * @param valueOf makes the value for `--json` of all pages
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

/** Prints that something was done to an item. @param done in a few words, for a person */
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
