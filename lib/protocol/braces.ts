/** Thrown for an invalid pattern. The message is a sentence that can be shown to people. */
export class PatternError extends Error {
  override name = "PatternError";
}

/**
 * Returns all texts that the braces of a pattern expand to, as in a shell: `a{b,c}` gives `ab` and `ac`.
 * Braces can be nested. A backslash keeps the next character from being special, and both characters stay in
 * the text.
 * @param maxTexts limit of the number of texts
 * @throws PatternError when a brace has no partner, or when there are more texts than `maxTexts`
 */
export function expandBraces(pattern: string, maxTexts: number): string[] {
  const reader = { pattern, chars: [...pattern], at: 0, maxTexts };
  const texts = readSequence(reader, false);
  if (reader.at < reader.chars.length)
    throw new PatternError(`"${pattern}" has a "}" without its "{"`);
  return texts;
}

/**
 * Replaces each group of braces in a valid pattern by `*`, because the group stands for more than one text.
 */
export function starForBraces(pattern: string): string {
  let text = "";
  let depth = 0;
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at] ?? "";
    const taken = char === "\\" ? char + (pattern[++at] ?? "") : char;
    if (char === "}") depth--;
    else if (depth === 0) text += char === "{" ? "*" : taken;
    if (char === "{") depth++;
  }
  return text;
}

interface Reader {
  pattern: string;
  chars: string[];
  at: number;
  maxTexts: number;
}

/**
 * Expands the pattern from the current position to its end, or to the `}` or `,` that ends an alternative in
 * braces.
 */
function readSequence(reader: Reader, inBraces: boolean): string[] {
  const { chars } = reader;
  let texts = [""];
  for (; reader.at < chars.length; reader.at++) {
    const char = chars[reader.at] ?? "";
    if (char === "}" || (char === "," && inBraces)) return texts;
    if (char === "{") {
      texts = product(reader, texts, readAlternatives(reader));
    } else {
      const escaped = char === "\\" ? (chars[++reader.at] ?? "") : "";
      texts = texts.map((text) => text + char + escaped);
    }
  }
  return texts;
}

/** Expands the alternatives of a group, from its `{` to its `}`. */
function readAlternatives(reader: Reader): string[] {
  const alternatives: string[] = [];
  do {
    reader.at++;
    alternatives.push(...readSequence(reader, true));
    if (alternatives.length > reader.maxTexts) throw tooMany(reader);
  } while (reader.chars[reader.at] === ",");
  if (reader.chars[reader.at] === "}") return alternatives;
  throw new PatternError(`"${reader.pattern}" has a "{" without its "}"`);
}

function product(reader: Reader, heads: string[], tails: string[]): string[] {
  if (heads.length * tails.length > reader.maxTexts) throw tooMany(reader);
  return heads.flatMap((head) => tails.map((tail) => head + tail));
}

function tooMany({ pattern, maxTexts }: Reader): PatternError {
  return new PatternError(`the braces of "${pattern}" stand for more than ${maxTexts} patterns`);
}
