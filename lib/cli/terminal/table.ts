import { padColumns, paint } from "./terminal.ts";

/** Space between two columns of the table. */
export const GAP = 2;

export interface Column {
  title: string;
  /** Aligned to the right, for numbers. */
  right?: boolean;
}

/**
 * Lays out a table with columns as wide as necessary.
 * @param rows a cell for each column; cells may contain colours
 * @returns lines, titles first
 */
export function renderTable(columns: Column[], rows: string[][], coloured: boolean): string[] {
  const widths = columns.map(({ title }, index) =>
    Math.max(
      ...[title, ...rows.map((row) => row[index] ?? "")].map((cell) => Bun.stringWidth(cell)),
    ),
  );
  const layOut = (cells: string[]) =>
    columns
      .map(({ right }, index) => {
        const cell = cells[index] ?? "";
        const padded = padColumns(cell, widths[index] ?? 0);
        return right ? padded.slice(cell.length) + cell : padded;
      })
      .join(" ".repeat(GAP))
      .trimEnd();
  const titles = layOut(columns.map(({ title }) => title));
  return [paint(titles, "dim", coloured), ...rows.map(layOut)];
}
