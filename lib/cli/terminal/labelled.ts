import { padColumns, paint, show, type Shown } from "./terminal.ts";

/** Returns a line with name and value for each field. Fields whose value is null are left out. */
export function labelled(fields: Record<string, Shown | null>, coloured: boolean): string[] {
  const widest = Math.max(...Object.keys(fields).map((name) => name.length));
  return Object.entries(fields).flatMap(([name, value]) => {
    const label = paint(padColumns(name, widest), "dim", coloured);
    return value === null ? [] : `  ${label}  ${show(value, coloured)}`;
  });
}
