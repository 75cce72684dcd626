import { styleText } from "node:util";
import type { Output } from "../../util/output.ts";
import { plainText } from "../../util/plain-text.ts";

export type Colour = "green" | "red" | "cyan" | "yellow" | "dim" | "bold";

/** An output, and its abilities. */
export interface Terminal {
  write(text: string): void;
  /** Whether lines can be redrawn. A pipe or file gets no escape codes. */
  live: boolean;
  colour: boolean;
  columns(): number;
  rows(): number;
}

/**
 * Finds out the abilities of an output of this process.
 * @param env for NO_COLOR (https://no-color.org) and TERM
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

/** Colours a text, if colours are wanted. */
export function paint(text: string, colour: Colour, coloured: boolean): string {
  return coloured && text ? styleText(colour, text, { validateStream: false }) : text;
}

/** Text for a person, possibly with a colour. It may come from outside. */
export type Shown = string | { text: string; colour: Colour };

/** Makes such a text safe for a terminal. */
export function show(shown: Shown, coloured: boolean): string {
  return typeof shown === "string"
    ? plainText(shown)
    : paint(plainText(shown.text), shown.colour, coloured);
}

/** Columns needed to tell names apart. */
export const NAME_COLUMNS = 14;

/** The end of a long text, which says most about a path or name. */
export function ending(text: string, columns: number): string {
  return Bun.stringWidth(text) <= columns ? text : `…${Bun.sliceAnsi(text, 1 - columns)}`;
}

/** Shortens a long text in its middle, so that both ends of a path can be read. */
export function bothEnds(text: string, columns: number): string {
  if (Bun.stringWidth(text) <= columns) return text;
  const first = Bun.sliceAnsi(text, 0, Math.floor((columns - 1) / 2));
  // A wide character at the cut may take one column more.
  const left = columns - 1 - Bun.stringWidth(first);
  return `${first}…${Bun.sliceAnsi(text, -left)}`;
}

/** Most names in a sentence. */
const MAX_NAMED = 10;

/** The first of many names or sentences, and the number of the others. */
export function someOf(texts: string[], separator = ", "): string {
  const more = texts.length - MAX_NAMED;
  const named = texts.slice(0, MAX_NAMED).join(separator);
  return more > 0 ? `${named} and ${more} more` : named;
}

/** Pads with spaces to a number of columns; a longer text stays as it is. */
export function padColumns(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - Bun.stringWidth(text)));
}

/** Prints a line about a success. */
export function say(terminal: Terminal, what: string, remark: string): void {
  const tick = paint("✓", "green", terminal.colour);
  terminal.write(
    `${tick} ${plainText(what)}  ${show({ text: remark, colour: "dim" }, terminal.colour)}\n`,
  );
}
