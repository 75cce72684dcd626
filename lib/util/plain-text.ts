/*
 * Makes text from outside safe for a terminal, and for a log that somebody reads at one. All text that a
 * program writes there goes through one of these functions, if any part of it came from elsewhere.
 */

/**
 * Characters that a terminal obeys instead of showing them, or that change how the text around them is
 * shown: control characters, bidi marks, zero-width characters and fillers, separators of lines.
 */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** Plain text on one line: escape sequences and invisible characters are gone. */
export function plainText(text: string): string {
  return Bun.stripANSI(text.toWellFormed()).replace(INVISIBLE, "");
}

/** Short escapes of some invisible characters, as in JSON. */
const SHORT: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/**
 * The name of a file on one line. Invisible characters are escaped, not dropped as in {@link plainText}, so
 * that two different names never look the same.
 */
export function plainName(name: string): string {
  return name.toWellFormed().replace(INVISIBLE, (one) => SHORT[one] ?? escaped(one));
}

/** {@link plainText} for text of several lines. */
export function plainLines(text: string): string {
  return text
    .split(/\r?\n/)
    .map((line) => plainText(line.replaceAll("\t", "  ")))
    .join("\n");
}

/**
 * A value as JSON in which invisible characters are escaped: what reads it gets the same value.
 * @param value that JSON has a form for
 * @param indent spaces of each level; 0: all on one line
 */
export function plainJson(value: unknown, indent = 0): string {
  return JSON.stringify(value, null, indent).replace(INVISIBLE, (character) =>
    // Line breaks between the values of an indented text are not part of a value.
    character === "\n" ? character : escaped(character),
  );
}

/** True if a text takes at most `most` bytes in JSON, where one character can take six. */
export function fits(text: string, most: number): boolean {
  return text.length <= most && sizeInJson(text) <= most;
}

/** The beginning of a text that fits into `most` bytes of JSON, with a word on how long the text was. */
export function cutToFit(text: string, most: number): string {
  if (fits(text, most)) return text;
  let head = text.slice(0, most);
  for (let size = sizeInJson(head); size > most; size = sizeInJson(head)) {
    head = head.slice(0, (head.length * most) / size);
  }
  return `${head}… (${text.length} characters)`;
}

function sizeInJson(text: string): number {
  return Buffer.byteLength(plainJson(text));
}

/** @returns `\u` and four digits for each of its UTF-16 units */
function escaped(character: string): string {
  return Array.from({ length: character.length }, (_, unit) => {
    const digits = character.charCodeAt(unit).toString(16).padStart(4, "0");
    return String.raw`\u${digits}`;
  }).join("");
}
