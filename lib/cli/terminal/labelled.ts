import { padColumns, paint, renderText, type StyledText } from "./terminal.ts";

/** Returns a line with name and value for each field. Fields whose value is null are left out. */
export function alignedFields(
  fields: Record<string, StyledText | null>,
  coloured: boolean,
): string[] {
  const nameWidth = Math.max(...Object.keys(fields).map((name) => name.length));
  return Object.entries(fields).flatMap(([name, value]) => {
    const label = paint(padColumns(name, nameWidth), "dim", coloured);
    return value === null ? [] : `  ${label}  ${renderText(value, coloured)}`;
  });
}
