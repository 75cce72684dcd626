import { padColumns, paint } from "./terminal.ts";

/** The number of spaces between two columns of a table. */
export const GAP = 2;

export interface Column {
  title: string;
  /** Whether cells are aligned to the right, as numbers are. */
  right?: boolean;
}

/**
 * Formats a table whose columns are as wide as their widest cell.
 * @param rows each has one cell for each column; cells may contain colour codes
 * @returns the lines of the table, titles first
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
