import { plainText } from "../../util/plain-text.ts";
import { type Field, type ListingColumn, listingLines, listingTable } from "../terminal/listing.ts";
import { paint } from "../terminal/terminal.ts";
import { type CommandContext, print } from "./command.ts";

/** A list to print: its items, its columns and the text for an empty list. */
export interface Listing<T> {
  items: T[];
  columns: ListingColumn<T>[];
  /** The fields of each item's line when the output is a pipe. Default: the fields of `columns`. */
  fields?: Field<T>[];
  /** Returns a remark on an item, which a terminal shows on a line of its own. null means no remark. */
  detailOf?: (item: T) => string | null;
  /** The text that a terminal shows for an empty list. */
  none: string;
  /** The cursor of the next page; null after the last page. Undefined for a list that has no pages. */
  nextCursor?: string | null;
}

/**
 * Prints a list: a table for a terminal, or lines of tab-separated fields for a pipe.
 * @param value the value to print with `--json`
 */
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
 * Prints a list of any length, page by page: tables for a terminal, or lines of tab-separated fields for a
 * pipe.
 * @param valueOf makes the value to print with `--json` from the items of all pages
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

/**
 * Prints that a command has changed an item.
 * @param summary the change in a few words, for a terminal
 */
export function printDone<T>(
  context: CommandContext,
  item: T,
  fields: Field<T>[],
  summary: string,
): void {
  print(context, {
    value: item,
    shown: (coloured) => [`${paint("✓", "green", coloured)} ${summary}`],
    raw: () => listingLines(fields, [item]),
  });
}
