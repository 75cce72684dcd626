import { plainJson, plainText } from "../../util/plain-text.ts";
import { type Column, GAP, renderTable } from "./table.ts";
import { ending, show, type Shown } from "./terminal.ts";

/** A cell of an item for a script. */
export interface Field<T> {
  raw(item: T): string | number | boolean | null;
}

/** A column of a list, shown as a table to a person and as fields to a script. */
export interface ListingColumn<T> extends Column, Field<T> {
  /** Rank of the column; the least important columns are dropped where space is short. */
  importance: number;
  /** Before any column is dropped, this one's texts are cut, to no fewer columns than this. */
  least?: number;
  /** How they are cut; by default from the left. */
  cut?: (text: string, columns: number) => string;
  /** The cell for a person. */
  shown(item: T): Shown;
}

/**
 * Lays out a table of at most `width` columns, titles first.
 * @param detailOf an additional line below an item; null: none
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
      (column.cut ?? ending)(show(column.shown(item), coloured), room),
    ),
  );
  const shown = fitting.map(({ column }) => column);
  const [titles = "", ...lines] = renderTable(shown, rows, coloured);
  const withDetails = items.flatMap((item, index) => {
    const detail = detailOf(item);
    return [
      lines[index] ?? "",
      ...(detail === null ? [] : [show({ text: `  ↳ ${detail}`, colour: "dim" }, coloured)]),
    ];
  });
  return [titles, ...withDetails].map((line) => Bun.sliceAnsi(line, 0, width, "…"));
}

interface FittingColumn<T> {
  column: ListingColumn<T>;
  /** Width for its texts. */
  room: number;
}

/** The columns that fit. */
function fit<T>(columns: ListingColumn<T>[], items: T[], width: number): FittingColumn<T>[] {
  const fitting = columns.map((column) => {
    const texts = [column.title, ...items.map((item) => show(column.shown(item), false))];
    const room = Math.max(...texts.map((text) => Bun.stringWidth(text)));
    return { column, room, least: Math.max(column.least ?? room, Bun.stringWidth(column.title)) };
  });
  const gaps = GAP * (columns.length - 1);
  let excess = fitting.reduce((sum, { room }) => sum + room, gaps) - width;
  for (; excess > 0; excess--) {
    const [widest] = fitting
      .filter(({ room, least }) => room > least)
      .toSorted((a, b) => b.room - a.room);
    if (!widest) break;
    widest.room--;
  }
  return excess <= 0 || columns.length === 1 ? fitting : fit(withoutOne(columns), items, width);
}

/** Drops the least important column. */
function withoutOne<T>(columns: ListingColumn<T>[]): ListingColumn<T>[] {
  const least = Math.min(...columns.map(({ importance }) => importance));
  return columns.filter(({ importance }) => importance !== least);
}

/** A line for each item, its fields separated by tabs. */
export function listingLines<T>(fields: Field<T>[], items: T[]): string[] {
  return items.map((item) => tabbed(fields.map((field) => field.raw(item))));
}

/** A line for each name and value; a list or object is shown as JSON. */
export function fieldLines(fields: object): string[] {
  return Object.entries(fields).map(([name, value]) =>
    tabbed([name, typeof value === "object" && value !== null ? plainJson(value) : value]),
  );
}

/** Joins fields by tabs into a line for a pipe. The fields never contain tabs or line breaks. */
export function tabbed(fields: unknown[]): string {
  return fields.map((field) => plainText(String(field ?? ""))).join("\t");
}
