import { find, setText } from "./dom.ts";

/** Most characters at the end of a name that are shown whatever its length. */
const FILE_TAIL = 24;
const SITE_TAIL = 12;

/** Letters that run from right to left: their end is not at the right. */
const RIGHT_TO_LEFT = /[\u0590-\u08FF\uFB1D-\uFDFF\uFE70-\uFEFC]/;

const characters = new Intl.Segmenter("en", { granularity: "grapheme" });

/** A path for a line that may be too short for it: folders give way first, the name's end never. */
export interface PathParts {
  folder: string;
  /** What comes before the tail; of a short name nothing, or all of it. */
  base: string;
  tail: string;
}

/** @param path as it is shown */
export function pathParts(path: string): PathParts {
  const baseAt = path.lastIndexOf("/") + 1;
  const [base, tail] = splitEnd(path.slice(baseAt), FILE_TAIL);
  return { folder: path.slice(0, baseAt), base, tail };
}

/** Splits a text in two; the second part is its end, of at most a number of characters. */
function splitEnd(text: string, length: number): [string, string] {
  const all = [...characters.segment(text)];
  const at = all.at(-length)?.index ?? 0;
  if (at > 0 && RIGHT_TO_LEFT.test(text)) return [text, ""];
  return [text.slice(0, at), text.slice(at)];
}

/** Shows a path in an element that has a place for each of its parts. */
export function showPath(element: HTMLElement, path: string): void {
  const { folder, base, tail } = pathParts(path);
  setText(find(element, ".folder", HTMLElement), folder);
  setText(find(element, ".base", HTMLElement), base);
  showTail(element, tail, path);
}

/** Shows the name of a site. */
export function showSite(element: HTMLElement, clientId: string): void {
  const [head, tail] = splitEnd(clientId, SITE_TAIL);
  setText(find(element, ".head", HTMLElement), head);
  showTail(element, tail, clientId);
}

/** @param whole shown as the tooltip */
function showTail(element: HTMLElement, tail: string, whole: string): void {
  setText(find(element, ".tail", HTMLElement), tail);
  element.style.setProperty("--tail", String(tail.length));
  element.title = whole;
}
