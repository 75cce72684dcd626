import { paint, type Terminal } from "../terminal/terminal.ts";

/**
 * Rows of the screen that are kept free for what surrounds a result: its title, a progress bar and the next
 * question.
 */
const FRAME_ROWS = 8;

/**
 * Shortens a result to fit on the screen, so that its title is still visible at the next question. Nothing is
 * cut when the output is not a terminal.
 * @param keep which end of the lines to keep
 * @param seeAllHint a way to see all lines, such as a command, shown with the number of lines that were cut
 */
export function cutToScreen(
  lines: string[],
  { live, rows, columns, colour }: Terminal,
  keep: "start" | "end",
  seeAllHint: string,
): string[] {
  if (!live) return lines;
  const inOrder = keep === "start" ? lines : lines.toReversed();
  let room = rows() - FRAME_ROWS;
  const kept = inOrder.filter((line) => {
    room -= Math.max(1, Math.ceil(Bun.stringWidth(line) / columns()));
    return room >= 0;
  });
  if (kept.length === lines.length) return lines;
  const more = paint(`… ${lines.length - kept.length} more lines: ${seeAllHint}`, "dim", colour);
  return keep === "start" ? [...kept, more] : [more, ...kept.toReversed()];
}
