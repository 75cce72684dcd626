import { plainJson, plainText } from "../../util/plain-text.ts";
import { type Column, GAP, renderTable } from "./table.ts";
import { ending, show, type Shown } from "./terminal.ts";

/** The cells of one item for a script. */
export interface Field<T> {
  raw(item: T): string | number | boolean | null;
}

/** A column of a list of things that a person sees as a table, and a script as fields. */
export interface ListingColumn<T> extends Column, Field<T> {
  /** Rank of the column: the least important ones go where there is too little room. */
  importance: number;
  /** Before any column goes, texts of this one are cut, to no fewer columns than this. */
  least?: number;
  /** How they are cut; where not given, from the left. */
  cut?: (text: string, columns: number) => string;
  /** The cell for a person. */
  shown(item: T): Shown;
}

/**
 * Lays out a table that is at most `width` columns wide; the titles come first.
 * @param detailOf what else a person has to know of one thing, on a line below it; null: nothing
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
  /** How wide its texts may be. */
  room: number;
}

/** The columns that there is room for. */
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

/** Without the least important one. */
function withoutOne<T>(columns: ListingColumn<T>[]): ListingColumn<T>[] {
  const least = Math.min(...columns.map(({ importance }) => importance));
  return columns.filter(({ importance }) => importance !== least);
}

/** A line for each item, its fields separated by tabs. */
export function listingLines<T>(fields: Field<T>[], items: T[]): string[] {
  return items.map((item) => tabbed(fields.map((field) => field.raw(item))));
}

/** A name and a value on each line; a list or an object as JSON. */
export function fieldLines(fields: object): string[] {
  return Object.entries(fields).map(([name, value]) =>
    tabbed([name, typeof value === "object" && value !== null ? plainJson(value) : value]),
  );
}

/** Joins fields to a line of a pipe, by tabs. No field has a tab or a line end in it. */
export function tabbed(fields: unknown[]): string {
  return fields.map((field) => plainText(String(field ?? ""))).join("\t");
}
