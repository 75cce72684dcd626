/** A pattern that cannot be read. The message says why, and is fit for a person. */
export class PatternError extends Error {
  override name = "PatternError";
}

/**
 * Every text that a pattern's braces stand for, as a shell expands them: `a{b,c}` is `ab` and `ac`,
 * nested too. A backslash takes the next character as it is; both stay in the text.
 * @param most how many texts there may be
 * @throws PatternError when a brace has no partner, or there are more texts
 */
export function expandBraces(pattern: string, most: number): string[] {
  const reader = { pattern, chars: [...pattern], at: 0, most };
  const texts = readSequence(reader, false);
  if (reader.at < reader.chars.length)
    throw new PatternError(`"${pattern}" has a "}" without its "{"`);
  return texts;
}

/** A readable pattern with a `*` where it has braces: what they stand for is more than one text. */
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
  most: number;
}

/** Reads up to the end, or to the `}` or, inside of braces, the `,` that ends the alternative. */
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

/** Reads from a `{` up to its `}`. */
function readAlternatives(reader: Reader): string[] {
  const alternatives: string[] = [];
  do {
    reader.at++;
    alternatives.push(...readSequence(reader, true));
    if (alternatives.length > reader.most) throw tooMany(reader);
  } while (reader.chars[reader.at] === ",");
  if (reader.chars[reader.at] === "}") return alternatives;
  throw new PatternError(`"${reader.pattern}" has a "{" without its "}"`);
}

function product(reader: Reader, heads: string[], tails: string[]): string[] {
  if (heads.length * tails.length > reader.most) throw tooMany(reader);
  return heads.flatMap((head) => tails.map((tail) => head + tail));
}

function tooMany({ pattern, most }: Reader): PatternError {
  return new PatternError(`the braces of "${pattern}" stand for more than ${most} patterns`);
}
