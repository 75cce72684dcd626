import { find, setText } from "./dom.ts";

/** Most characters at the end of a name that are always shown. */
const FILE_TAIL = 24;
const SITE_TAIL = 12;

/** Letters of right-to-left scripts, whose texts do not end at the right. */
const RIGHT_TO_LEFT = /[\u0590-\u08FF\uFB1D-\uFDFF\uFE70-\uFEFC]/;

const characters = new Intl.Segmenter("en", { granularity: "grapheme" });

/**
 * A path for a line that may be too short: folders are cut first, and the end of the name is always shown.
 */
export interface PathParts {
  folder: string;
  /** Everything before the tail; for a short name nothing, or all of it. */
  base: string;
  tail: string;
}

/** @param path as it is shown */
export function pathParts(path: string): PathParts {
  const baseAt = path.lastIndexOf("/") + 1;
  const [base, tail] = splitEnd(path.slice(baseAt), FILE_TAIL);
  return { folder: path.slice(0, baseAt), base, tail };
}

/** Splits a text in two; the second part has at most a number of characters. */
function splitEnd(text: string, length: number): [string, string] {
  const all = [...characters.segment(text)];
  const at = all.at(-length)?.index ?? 0;
  if (at > 0 && RIGHT_TO_LEFT.test(text)) return [text, ""];
  return [text.slice(0, at), text.slice(at)];
}

/** Shows a path in an element with the children `.folder`, `.base` and `.tail`, see {@link pathParts}. */
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

/** @param whole full text, shown as the tooltip */
function showTail(element: HTMLElement, tail: string, whole: string): void {
  setText(find(element, ".tail", HTMLElement), tail);
  element.style.setProperty("--tail", String(tail.length));
  element.title = whole;
}
