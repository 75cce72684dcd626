import { find, setText } from "./dom.ts";

/**
 * Number of characters that are always shown at the end of a file's name and of a site's name, however little
 * room there is.
 */
const FILE_TAIL = 24;
const SITE_TAIL = 12;

/**
 * Matches letters of right-to-left scripts. A name with such letters ends at the left, so its end cannot be
 * split off and shown at the right.
 */
const RIGHT_TO_LEFT = /[\u0590-\u08FF\uFB1D-\uFDFF\uFE70-\uFEFC]/;

const characters = new Intl.Segmenter("en", { granularity: "grapheme" });

/**
 * A path in three parts, for display. If the place is too narrow, the ends of `folder` and `base` are cut
 * off, and `tail` is still shown whole.
 */
export interface PathParts {
  folder: string;
  /**
   * The start of the file's name, without the tail. Empty if the name is short. The whole name if it is long
   * and has right-to-left letters.
   */
  base: string;
  tail: string;
}

/** Splits a path into its folder, and the start and end of its name. @param path text to be shown */
export function pathParts(path: string): PathParts {
  const baseAt = path.lastIndexOf("/") + 1;
  const [base, tail] = splitEnd(path.slice(baseAt), FILE_TAIL);
  return { folder: path.slice(0, baseAt), base, tail };
}

/** Splits a text in two. @param length highest number of characters in the second part */
function splitEnd(text: string, length: number): [string, string] {
  const all = [...characters.segment(text)];
  const at = all.at(-length)?.index ?? 0;
  if (at > 0 && RIGHT_TO_LEFT.test(text)) return [text, ""];
  return [text.slice(0, at), text.slice(at)];
}

/**
 * Shows a path in an element with the children `.folder`, `.base` and `.tail`. If the path is too long, CSS
 * cuts off the end of the first two.
 */
export function showPath(element: HTMLElement, path: string): void {
  const { folder, base, tail } = pathParts(path);
  setText(find(element, ".folder", HTMLElement), folder);
  setText(find(element, ".base", HTMLElement), base);
  showTail(element, tail, path);
}

/**
 * Shows the name of a site in an element with the children `.head` and `.tail`. If the name is too long, CSS
 * cuts off the end of the head.
 */
export function showSite(element: HTMLElement, clientId: string): void {
  const [head, tail] = splitEnd(clientId, SITE_TAIL);
  setText(find(element, ".head", HTMLElement), head);
  showTail(element, tail, clientId);
}

/** Shows the part of a name that is never cut. @param whole the full name, shown as the tooltip */
function showTail(element: HTMLElement, tail: string, whole: string): void {
  setText(find(element, ".tail", HTMLElement), tail);
  element.style.setProperty("--tail", String(tail.length));
  element.title = whole;
}
