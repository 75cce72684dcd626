import { plainText } from "../../util/plain-text.ts";
import type { ApiClient } from "../rest/api-client.ts";
import type { Input } from "../terminal/input.ts";
import { paint, type Terminal } from "../terminal/terminal.ts";

/** The server that the guide works with, and its files on this machine. */
export interface Target {
  api: ApiClient;
  /** Its address. */
  server: string;
  /** Its folder of downloads. */
  downloadsDir: string;
  /** The checksums of the originals. */
  checksumsFile: string;
  /** The folder of its demo; null: it belongs to none. */
  demo: string | null;
}

/** What a choice of the menu works with. */
export interface GuideContext {
  target: Target;
  /** The folder that holds the demos' folders. */
  demos: string;
  input: Input;
  out: Terminal;
  /** Aborted when somebody wants to leave. */
  signal: AbortSignal;
}

/** Writes lines of text. */
export function tell({ out }: Pick<GuideContext, "out">, ...lines: string[]): void {
  out.write(lines.map((line) => `${line}\n`).join(""));
}

/** Writes a line about an error. */
export function complain({ out }: Pick<GuideContext, "out">, text: string): void {
  out.write(`${paint("✗", "red", out.colour)} ${plainText(text)}\n`);
}

/**
 * Lets a person choose from a list numbered from 1, or type a name.
 * @returns the item; a text that is no number of the list; null for none
 */
export async function pick<T>(
  { input, signal }: GuideContext,
  question: string,
  items: T[],
): Promise<T | string | null> {
  const answer = await input.ask(question, signal);
  if (!answer) return null;
  return (/^\d{1,3}$/.test(answer) ? items[Number(answer) - 1] : undefined) ?? answer;
}
