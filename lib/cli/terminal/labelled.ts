import { padColumns, paint } from "./terminal.ts";

/** Lines with a name and a value each; what is null is left out. */
export function labelled(fields: Record<string, string | null>, coloured: boolean): string[] {
  const widest = Math.max(...Object.keys(fields).map((name) => name.length));
  return Object.entries(fields).flatMap(([name, value]) =>
    value === null ? [] : `  ${paint(padColumns(name, widest), "dim", coloured)}  ${value}`,
  );
}
