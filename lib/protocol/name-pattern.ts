import { PatternError } from "./braces.ts";

/** One element of a pattern. */
type Token =
  | { type: "char"; char: string }
  | { type: "any" }
  /** Matches any number of characters, also none. */
  | { type: "star" }
  | { type: "class"; negated: boolean; ranges: [from: number, to: number][] };

/**
 * A pattern for one name in a path, with `*`, `?`, `[a-z]` and `[!a-z]`. A backslash makes the next character
 * literal. A name that begins with a dot only matches a pattern that begins with a dot.
 */
export class NamePattern {
  readonly #tokens: Token[];
  /** The only name that matches, if the pattern has no wildcard; else null. */
  readonly literal: string | null;

  /** Parses a pattern. @throws PatternError */
  constructor(text: string) {
    this.#tokens = tokensOf(text);
    const chars = this.#tokens.map((token) => (token.type === "char" ? token.char : null));
    this.literal = chars.includes(null) ? null : chars.join("");
  }

  /**
   * Reports whether a name matches. The time is at most proportional to the length of the name times the
   * length of the pattern.
   */
  matches(name: string): boolean {
    if (this.literal !== null) return name === this.literal;
    const [first] = this.#tokens;
    if (name.startsWith(".") && !(first?.type === "char" && first.char === ".")) return false;
    const chars = [...name];
    let at = 0;
    let tokenIndex = 0;
    // Where to resume after a mismatch. `afterStar` is the position in the pattern behind the last star, or
    // -1. `starEnd` is the position in the name behind the characters that this star matches. After each
    // mismatch, the star matches one character more.
    let afterStar = -1;
    let starEnd = 0;
    while (at < chars.length) {
      const token = this.#tokens[tokenIndex];
      if (token?.type === "star") {
        afterStar = ++tokenIndex;
        starEnd = at;
      } else if (token && matchesChar(token, chars[at] ?? "")) {
        tokenIndex++;
        at++;
      } else if (afterStar >= 0) {
        tokenIndex = afterStar;
        at = ++starEnd;
      } else {
        return false;
      }
    }
    return this.#tokens.slice(tokenIndex).every(({ type }) => type === "star");
  }
}

function matchesChar(token: Exclude<Token, { type: "star" }>, char: string): boolean {
  switch (token.type) {
    case "char":
      return token.char === char;
    case "any":
      return true;
    case "class": {
      const code = char.codePointAt(0) ?? 0;
      return token.negated !== token.ranges.some(([from, to]) => from <= code && code <= to);
    }
  }
}

/** Reads a pattern's characters one after the other. */
class Reader {
  #at = 0;
  readonly #chars: string[];

  constructor(private readonly text: string) {
    this.#chars = [...text];
  }

  get next(): string | undefined {
    return this.#chars[this.#at];
  }

  take(): string | undefined {
    return this.#chars[this.#at++];
  }

  /** Takes the next character if it equals `char`. @returns whether it was taken */
  takeIf(char: string): boolean {
    const isNext = this.next === char;
    if (isNext) this.#at++;
    return isNext;
  }

  /**
   * Takes the next character. If it is a backslash, takes the character after it instead.
   * @returns undefined at the end of the pattern
   * @throws PatternError for a lone backslash at the end
   */
  takeLiteral(): string | undefined {
    const char = this.take();
    if (char !== "\\") return char;
    const escaped = this.take();
    if (escaped === undefined) throw new PatternError(`"${this.text}" ends with a lone "\\"`);
    return escaped;
  }
}

function tokensOf(text: string): Token[] {
  const reader = new Reader(text);
  const tokens: Token[] = [];
  while (reader.next !== undefined) {
    switch (reader.next) {
      case "*":
        reader.take();
        if (tokens.at(-1)?.type !== "star") tokens.push({ type: "star" });
        break;
      case "?":
        reader.take();
        tokens.push({ type: "any" });
        break;
      case "[":
        reader.take();
        tokens.push(readClass(reader, text));
        break;
      default:
        tokens.push({ type: "char", char: reader.takeLiteral() ?? "" });
    }
  }
  return tokens;
}

/**
 * Reads a bracket expression after its `[`. As in POSIX, a `]` directly after the `[` or `[!` stands for
 * itself.
 */
function readClass(reader: Reader, text: string): Token {
  const negated = reader.takeIf("!") || reader.takeIf("^");
  const ranges: [number, number][] = [];
  do {
    const from = reader.takeLiteral();
    let to = from;
    if (reader.takeIf("-")) {
      if (reader.next === "]") ranges.push([DASH, DASH]);
      else to = reader.takeLiteral();
    }
    if (from === undefined || to === undefined || reader.next === undefined) {
      throw new PatternError(`"${text}" has a "[" without its "]"`);
    }
    ranges.push([from.codePointAt(0) ?? 0, to.codePointAt(0) ?? 0]);
  } while (!reader.takeIf("]"));
  return { type: "class", negated, ranges };
}

const DASH = 0x2d;
