/*
 * Makes untrusted text safe to print on a terminal or into a log. Text with any part from outside the program
 * goes through one of these functions before it is printed.
 */

/**
 * Invisible characters that could control a terminal or change how the text around them looks: control
 * characters, bidi marks, zero-width characters and fillers, line separators.
 */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** Removes escape sequences, line breaks and other invisible characters from a text. */
export function plainText(text: string): string {
  return Bun.stripANSI(text.toWellFormed()).replace(INVISIBLE, "");
}

/** Short escapes of some invisible characters, as in JSON. */
const SHORT_ESCAPES: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/**
 * Makes a file name safe to print on one line. Invisible characters are escaped, so that a name with such
 * characters looks different from the name without them. {@link plainText} drops them instead.
 */
export function plainName(name: string): string {
  return name
    .toWellFormed()
    .replace(INVISIBLE, (character) => SHORT_ESCAPES[character] ?? escaped(character));
}

/** Makes a text of several lines safe to print, as {@link plainText} does for one line. */
export function plainLines(text: string): string {
  return text
    .split(/\r?\n/)
    .map((line) => plainText(line.replaceAll("\t", "  ")))
    .join("\n");
}

/**
 * Formats a value as JSON with invisible characters escaped. A JSON parser still reads the same value.
 * @param value a value that JSON can express
 * @param indent spaces for each level of indentation; 0 writes everything on one line
 */
export function plainJson(value: unknown, indent = 0): string {
  return JSON.stringify(value, null, indent).replace(INVISIBLE, (character) =>
    // A raw line break in JSON can only be indentation: those inside of strings are escaped already.
    character === "\n" ? character : escaped(character),
  );
}

/** Reports whether a text takes at most `maxBytes` as a JSON string. One character can take six bytes. */
export function fits(text: string, maxBytes: number): boolean {
  return text.length <= maxBytes && sizeInJson(text) <= maxBytes;
}

/** Cuts a text to about `maxBytes` as a JSON string. A cut text ends with its original length. */
export function cutToFit(text: string, maxBytes: number): string {
  if (fits(text, maxBytes)) return text;
  let head = text.slice(0, maxBytes);
  for (let size = sizeInJson(head); size > maxBytes; size = sizeInJson(head)) {
    head = head.slice(0, (head.length * maxBytes) / size);
  }
  return `${head}… (${text.length} characters)`;
}

function sizeInJson(text: string): number {
  return Buffer.byteLength(plainJson(text));
}

/** Escapes a character as in JSON: `\u` and four hex digits for each of its UTF-16 units. */
function escaped(character: string): string {
  return Array.from({ length: character.length }, (_, unit) => {
    const digits = character.charCodeAt(unit).toString(16).padStart(4, "0");
    return String.raw`\u${digits}`;
  }).join("");
}
