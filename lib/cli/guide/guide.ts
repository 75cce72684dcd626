import { plainText } from "../../util/plain-text.ts";
import type { ApiClient } from "../rest/api-client.ts";
import type { Input } from "../terminal/input.ts";
import { paint, type Terminal } from "../terminal/terminal.ts";

/** The server that the guide works with, and the server's files on this machine. */
export interface Target {
  api: ApiClient;
  /** The URL of the server. */
  server: string;
  /** The server's folder of downloads, as a path on this machine. */
  downloadsDir: string;
  /** The path of the file with the checksums of the original files. */
  checksumsFile: string;
  /** The demo's folder, if the server was started by a demo; null for any other server. */
  demo: string | null;
}

/** The server, the input and the output that a choice of the menu works with. */
export interface GuideContext {
  target: Target;
  /** The folder that contains the folders of all demos. */
  demos: string;
  input: Input;
  out: Terminal;
  /** Aborted when the user wants to leave the guide. */
  signal: AbortSignal;
}

/** Writes lines of text, with a line break after each. */
export function tell({ out }: Pick<GuideContext, "out">, ...lines: string[]): void {
  out.write(lines.map((line) => `${line}\n`).join(""));
}

/** Writes an error message in one line, with a red cross. */
export function complain({ out }: Pick<GuideContext, "out">, text: string): void {
  out.write(`${paint("✗", "red", out.colour)} ${plainText(text)}\n`);
}

/**
 * Lets the user choose from a list numbered from 1, or type a name.
 * @returns the chosen item; the typed text where it is not the number of an item; null for an empty answer,
 *   and at the end of the input
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
