import { plainText } from "../../util/plain-text.ts";
import { type Column, renderTable } from "./table.ts";

/** A column of a list of things that a person sees as a table, and a script as fields. */
export interface ListingColumn<T> extends Column {
  /** Where there is little room, the least important columns go. */
  importance: number;
  /** Before it goes, its texts are cut from the left, to no fewer columns than this. */
  least?: number;
  /** For a person; may hold colours. */
  shown(item: T, coloured: boolean): string;
  /** For a script. */
  raw(item: T): string | number | boolean | null;
}

/** Lays out a table that is at most `width` columns wide; the titles come first. */
export function listingTable<T>(
  columns: ListingColumn<T>[],
  items: T[],
  width: number,
  coloured: boolean,
): string[] {
  const least = Math.min(...columns.map(({ importance }) => importance));
  const last = columns.find(({ importance }) => importance === least);
  const render = (cut = Infinity) => {
    const cell = (item: T, column: ListingColumn<T>) => {
      const text = column.shown(item, coloured);
      return column === last ? ending(text, cut) : text;
    };
    const rows = items.map((item) => columns.map((column) => cell(item, column)));
    const lines = renderTable(columns, rows, coloured);
    return { lines, width: Math.max(...lines.map((line) => Bun.stringWidth(line))) };
  };
  const table = render();
  if (table.width <= width) return table.lines;
  if (last?.least !== undefined) {
    const widest = Math.max(...items.map((item) => Bun.stringWidth(last.shown(item, coloured))));
    const room = widest - (table.width - width);
    const cut = render(Math.max(room, last.least));
    if (cut.width <= width) return cut.lines;
  }
  if (columns.length === 1) return table.lines.map((line) => Bun.sliceAnsi(line, 0, width, "…"));
  return listingTable(
    columns.filter((column) => column !== last),
    items,
    width,
    coloured,
  );
}

/** A line for each item, its fields separated by tabs. */
export function listingLines<T>(columns: ListingColumn<T>[], items: T[]): string[] {
  return items.map((item) => tabbed(columns.map((column) => column.raw(item))));
}

/** A name and a value on each line. */
export function fieldLines(fields: object): string[] {
  return Object.entries(fields).map((field) => tabbed(field));
}

/** Fields of one line; nothing in them can be taken for a separator. */
export function tabbed(fields: unknown[]): string {
  return fields.map((field) => plainText(String(field ?? ""))).join("\t");
}

/** The last part of a long text, which tells most of a path. */
function ending(text: string, columns: number): string {
  return Bun.stringWidth(text) <= columns ? text : `…${Bun.sliceAnsi(text, 1 - columns)}`;
}
