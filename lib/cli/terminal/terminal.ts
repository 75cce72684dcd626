import { styleText } from "node:util";
import type { Output } from "../../util/output.ts";
import { plainText } from "../../util/plain-text.ts";

export type Colour = "green" | "red" | "cyan" | "yellow" | "dim" | "bold";

/** An output of the process, and what it can display. */
export interface Terminal {
  write(text: string): void;
  /** Whether escape codes can redraw lines. False for a pipe or a file, which get no escape codes. */
  live: boolean;
  colour: boolean;
  columns(): number;
  rows(): number;
}

/**
 * Detects what an output of this process can display.
 * @param env environment, of which NO_COLOR (https://no-color.org) and TERM are read
 */
export function terminalOf(
  output: Pick<Output, "write" | "isTTY" | "columns" | "rows">,
  env: Record<string, string | undefined>,
): Terminal {
  const live = output.isTTY && env["TERM"] !== "dumb";
  return {
    write: (text) => output.write(text),
    live,
    colour: live && !env["NO_COLOR"],
    columns: () => output.columns || 80,
    rows: () => output.rows || 24,
  };
}

/** Returns a text in a colour, or unchanged where `coloured` is false. */
export function paint(text: string, colour: Colour, coloured: boolean): string {
  return coloured && text ? styleText(colour, text, { validateStream: false }) : text;
}

/** A text for a terminal, possibly with a colour. It may contain control characters, which `show` removes. */
export type StyledText = string | { text: string; colour: Colour };

/** Removes control characters from a text, and applies its colour. */
export function renderText(styled: StyledText, coloured: boolean): string {
  return typeof styled === "string"
    ? plainText(styled)
    : paint(plainText(styled.text), styled.colour, coloured);
}

/** The minimum number of terminal columns in which names can be told apart. */
export const NAME_COLUMNS = 14;

/** Shortens a long text to its end, which says most about a path or name. */
export function cutStart(text: string, columns: number): string {
  return Bun.stringWidth(text) <= columns ? text : `…${Bun.sliceAnsi(text, 1 - columns)}`;
}

/** Shortens a long text in its middle, so that both ends of a path can be read. */
export function cutMiddle(text: string, columns: number): string {
  if (Bun.stringWidth(text) <= columns) return text;
  const first = Bun.sliceAnsi(text, 0, Math.floor((columns - 1) / 2));
  // The first part may be a column narrower or wider than requested, if a wide character is at the cut.
  const remaining = columns - 1 - Bun.stringWidth(first);
  return `${first}…${Bun.sliceAnsi(text, -remaining)}`;
}

/** The maximum number of names that a sentence lists. */
const MAX_NAMED = 10;

/** Joins the first of many names or sentences, and appends the number of the others. */
export function joinFirst(texts: string[], separator = ", "): string {
  const more = texts.length - MAX_NAMED;
  const named = texts.slice(0, MAX_NAMED).join(separator);
  return more > 0 ? `${named} and ${more} more` : named;
}

/** Pads a text with spaces to a number of terminal columns. A longer text is returned as it is. */
export function padColumns(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - Bun.stringWidth(text)));
}

/** Prints a line about a success, with a green tick. */
export function say(terminal: Terminal, what: string, remark: string): void {
  const tick = paint("✓", "green", terminal.colour);
  terminal.write(
    `${tick} ${plainText(what)}  ${renderText({ text: remark, colour: "dim" }, terminal.colour)}\n`,
  );
}
