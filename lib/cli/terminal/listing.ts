import { plainJson, plainText } from "../../util/plain-text.ts";
import { type Column, GAP, renderTable } from "./table.ts";
import { cutStart, renderText, type StyledText } from "./terminal.ts";

/** A field of each item's line when a list goes to a pipe. */
export interface Field<T> {
  raw(item: T): string | number | boolean | null;
}

/** A column of a list: a column of the table on a terminal, or a field of each line in a pipe. */
export interface ListingColumn<T> extends Column, Field<T> {
  /**
   * Rank of the column. A table that is too wide for the terminal drops the columns with the lowest ranks
   * first.
   */
  importance: number;
  /**
   * Width, in terminal columns, down to which long cells are cut before any column is dropped. Undefined
   * means that cells are never cut.
   */
  minWidth?: number;
  /** Cuts a cell to a width in terminal columns. Default: {@link cutStart}. */
  cut?: (text: string, columns: number) => string;
  /** Returns the cell for a terminal. */
  shown(item: T): StyledText;
}

/**
 * Returns the lines of a table at most `width` terminal columns wide, titles first.
 * @param detailOf returns an additional line below an item; null for none
 */
export function listingTable<T>(
  columns: ListingColumn<T>[],
  items: T[],
  width: number,
  coloured: boolean,
  detailOf: (item: T) => string | null = () => null,
): string[] {
  const fitting = fit(columns, items, width);
  const rows = items.map((item) =>
    fitting.map(({ column, room }) =>
      (column.cut ?? cutStart)(renderText(column.shown(item), coloured), room),
    ),
  );
  const shown = fitting.map(({ column }) => column);
  const [titles = "", ...lines] = renderTable(shown, rows, coloured);
  const withDetails = items.flatMap((item, index) => {
    const detail = detailOf(item);
    return [
      lines[index] ?? "",
      ...(detail === null ? [] : [renderText({ text: `  ↳ ${detail}`, colour: "dim" }, coloured)]),
    ];
  });
  return [titles, ...withDetails].map((line) => Bun.sliceAnsi(line, 0, width, "…"));
}

interface FittingColumn<T> {
  column: ListingColumn<T>;
  /** The width of the cells, in terminal columns. */
  room: number;
}

/**
 * Chooses the columns that fit into `width`. Cells are cut first, then the least important columns are
 * dropped.
 */
function fit<T>(columns: ListingColumn<T>[], items: T[], width: number): FittingColumn<T>[] {
  const fitting = columns.map((column) => {
    const texts = [column.title, ...items.map((item) => renderText(column.shown(item), false))];
    const room = Math.max(...texts.map((text) => Bun.stringWidth(text)));
    return {
      column,
      room,
      minWidth: Math.max(column.minWidth ?? room, Bun.stringWidth(column.title)),
    };
  });
  const gaps = GAP * (columns.length - 1);
  let excess = fitting.reduce((sum, { room }) => sum + room, gaps) - width;
  for (; excess > 0; excess--) {
    const [widest] = fitting
      .filter(({ room, minWidth }) => room > minWidth)
      .toSorted((a, b) => b.room - a.room);
    if (!widest) break;
    widest.room--;
  }
  return excess <= 0 || columns.length === 1 ? fitting : fit(withoutOne(columns), items, width);
}

/** Returns the columns without the least important one. */
function withoutOne<T>(columns: ListingColumn<T>[]): ListingColumn<T>[] {
  const lowest = Math.min(...columns.map(({ importance }) => importance));
  return columns.filter(({ importance }) => importance !== lowest);
}

/** Returns a line for each item, with its fields separated by tabs. */
export function listingLines<T>(fields: Field<T>[], items: T[]): string[] {
  return items.map((item) => tabbed(fields.map((field) => field.raw(item))));
}

/** Returns a line with name and value for each property. A list or object is shown as JSON. */
export function fieldLines(fields: object): string[] {
  return Object.entries(fields).map(([name, value]) =>
    tabbed([name, typeof value === "object" && value !== null ? plainJson(value) : value]),
  );
}

/** Joins fields by tabs into a line for a pipe. Tabs and line breaks inside a field are removed. */
export function tabbed(fields: unknown[]): string {
  return fields.map((field) => plainText(String(field ?? ""))).join("\t");
}
