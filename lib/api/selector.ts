import { LABEL_PART, MAX_LABELS, MAX_LABEL_LENGTH } from "./label-parts.ts";

/*
 * Label selectors, as in Kubernetes: `region=west,tier!=test,size in (s,m),!closed`. A selector is parsed
 * into a list of requirements. `matches` evaluates it in memory, and `server/database/labels-sql.ts` in SQL.
 * A test checks that both agree.
 */

/** A condition on one label of a client. A client without the label fulfils `not_in` and `absent`. */
export type Requirement =
  | { key: string; is: "in" | "not_in"; values: readonly string[] }
  | { key: string; is: "present" | "absent" };

/** A parsed selector: at least one requirement. A client must fulfil all of them. */
export type Selector = readonly Requirement[];

/** Maximum number of characters of a selector. */
const MAX_SELECTOR_LENGTH = 4_096;

/** Maximum number of requirements in a selector, twice as many as a client can have labels. */
const MAX_REQUIREMENTS = 2 * MAX_LABELS;

/** Reports whether a client with these labels is selected. */
export function matches(selector: Selector, labels: Readonly<Record<string, string>>): boolean {
  return selector.every((requirement) => {
    const hasLabel = Object.hasOwn(labels, requirement.key);
    const value = labels[requirement.key] ?? "";
    switch (requirement.is) {
      case "present":
        return hasLabel;
      case "absent":
        return !hasLabel;
      case "in":
        return hasLabel && requirement.values.includes(value);
      case "not_in":
        return !hasLabel || !requirement.values.includes(value);
    }
  });
}

/**
 * Parses a selector.
 * @throws SelectorError if the text is no valid selector
 */
export function parseSelector(text: string): Selector {
  return new SelectorParser(text).parse();
}

/** Thrown for an invalid selector. The message says what is wrong, and where if it is a syntax error. */
export class SelectorError extends Error {
  override name = "SelectorError";
}

/** Matches one token: a word, an operator, or any other character, which is an error. */
const TOKEN = /\s*(?:([A-Za-z0-9._/-]+)|(==|!=|[=!,()])|(\S)|$)/y;

interface Token {
  text: string;
  /** Position of the token's first character in the selector, counted from 1. */
  at: number;
  isWord: boolean;
}

class SelectorParser {
  readonly #tokens: Token[];
  #position = 0;

  constructor(private readonly text: string) {
    if (text.length > MAX_SELECTOR_LENGTH) {
      throw new SelectorError(`must be at most ${MAX_SELECTOR_LENGTH} characters`);
    }
    this.#tokens = [...tokensOf(text)];
  }

  parse(): Selector {
    const requirements: Requirement[] = [];
    do {
      requirements.push(this.#parseRequirement());
      if (requirements.length > MAX_REQUIREMENTS) {
        throw new SelectorError(`must have at most ${MAX_REQUIREMENTS} requirements`);
      }
    } while (this.#accept(","));
    if (this.#token.text !== "") this.#fail('"," or the end');
    return requirements;
  }

  get #token(): Token {
    const end = { text: "", at: this.text.length + 1, isWord: false };
    return this.#tokens[this.#position] ?? end;
  }

  #parseRequirement(): Requirement {
    if (this.#accept("!")) return { key: this.#parseWord("a key"), is: "absent" };
    const key = this.#parseWord("a key");
    const { text } = this.#token;
    if (this.#accept("=") || this.#accept("==")) {
      return { key, is: "in", values: [this.#parseWord("a value")] };
    }
    if (this.#accept("!=")) return { key, is: "not_in", values: [this.#parseWord("a value")] };
    if (this.#accept("in") || this.#accept("notin")) {
      return { key, is: text === "in" ? "in" : "not_in", values: this.#parseValues() };
    }
    if (text !== "" && text !== ",") this.#fail('"=", "!=", "in", "notin", "," or the end');
    return { key, is: "present" };
  }

  #parseValues(): string[] {
    if (!this.#accept("(")) this.#fail('"("');
    const values = [this.#parseWord("a value")];
    while (this.#accept(",")) values.push(this.#parseWord("a value"));
    if (!this.#accept(")")) this.#fail('"," or ")"');
    return values;
  }

  #accept(text: string): boolean {
    if (this.#token.text !== text) return false;
    this.#position++;
    return true;
  }

  #parseWord(expected: string): string {
    const { text, isWord } = this.#token;
    if (!isWord) this.#fail(expected);
    if (!LABEL_PART.test(text)) {
      this.#fail(
        `${expected} of at most ${MAX_LABEL_LENGTH} characters that begins with a letter or digit`,
      );
    }
    this.#position++;
    return text;
  }

  #fail(expected: string): never {
    const { text, at } = this.#token;
    const found = text === "" ? "the end" : `"${text.slice(0, 80)}"`;
    throw new SelectorError(`is wrong at character ${at}: expected ${expected}, found ${found}`);
  }
}

function* tokensOf(text: string): Generator<Token> {
  const token = new RegExp(TOKEN);
  while (token.lastIndex < text.length) {
    const [, word, sign, other] = token.exec(text) ?? [];
    const found = word ?? sign ?? other;
    if (found === undefined) return;
    yield { text: found, at: token.lastIndex - found.length + 1, isWord: word !== undefined };
  }
}
