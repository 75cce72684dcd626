import { LABEL_PART, MAX_LABELS, MAX_LABEL_LENGTH } from "./label-parts.ts";

/*
 * Label selectors, as Kubernetes has them: `region=west,tier!=test,size in (s,m),!closed`. A text is
 * parsed once into a small tree; `matches` evaluates it in memory, `server/database/labels-sql.ts` in
 * SQL, and one test holds the two together.
 */

/** What a label of a client must be. Without the label, `not_in` and `absent` hold. */
export type Requirement =
  | { key: string; is: "in" | "not_in"; values: readonly string[] }
  | { key: string; is: "present" | "absent" };

/** All of its requirements must hold; there is at least one. */
export type Selector = readonly Requirement[];

/** Most characters of a selector. */
const MAX_SELECTOR_LENGTH = 4_096;

/** Most requirements of a selector, twice as many as a client has labels. */
const MAX_REQUIREMENTS = 2 * MAX_LABELS;

/** Whether a client with these labels is meant. */
export function matches(selector: Selector, labels: Readonly<Record<string, string>>): boolean {
  return selector.every((requirement) => {
    const has = Object.hasOwn(labels, requirement.key);
    const value = labels[requirement.key] ?? "";
    switch (requirement.is) {
      case "present":
        return has;
      case "absent":
        return !has;
      case "in":
        return has && requirement.values.includes(value);
      case "not_in":
        return !has || !requirement.values.includes(value);
    }
  });
}

/**
 * Reads a selector.
 * @throws SelectorError which names the place
 */
export function parseSelector(text: string): Selector {
  return new SelectorParser(text).parse();
}

/** A text is no selector; the message says where and why. */
export class SelectorError extends Error {
  override name = "SelectorError";
}

/** A word, a sign, or a character that is neither. */
const TOKEN = /\s*(?:([A-Za-z0-9._/-]+)|(==|!=|[=!,()])|(\S)|$)/y;

interface Token {
  text: string;
  /** Where it begins, counted from 1. */
  at: number;
  isWord: boolean;
}

class SelectorParser {
  readonly #tokens: Token[];
  #next = 0;

  constructor(private readonly text: string) {
    if (text.length > MAX_SELECTOR_LENGTH) {
      throw new SelectorError(`must be at most ${MAX_SELECTOR_LENGTH} characters`);
    }
    this.#tokens = [...tokensOf(text)];
  }

  parse(): Selector {
    const requirements: Requirement[] = [];
    do {
      requirements.push(this.#requirement());
      if (requirements.length > MAX_REQUIREMENTS) {
        throw new SelectorError(`must have at most ${MAX_REQUIREMENTS} requirements`);
      }
    } while (this.#takes(","));
    if (this.#token.text !== "") this.#fail('"," or the end');
    return requirements;
  }

  get #token(): Token {
    const end = { text: "", at: this.text.length + 1, isWord: false };
    return this.#tokens[this.#next] ?? end;
  }

  #requirement(): Requirement {
    if (this.#takes("!")) return { key: this.#word("a key"), is: "absent" };
    const key = this.#word("a key");
    const { text } = this.#token;
    if (this.#takes("=") || this.#takes("==")) {
      return { key, is: "in", values: [this.#word("a value")] };
    }
    if (this.#takes("!=")) return { key, is: "not_in", values: [this.#word("a value")] };
    if (this.#takes("in") || this.#takes("notin")) {
      return { key, is: text === "in" ? "in" : "not_in", values: this.#values() };
    }
    if (text !== "" && text !== ",") this.#fail('"=", "!=", "in", "notin", "," or the end');
    return { key, is: "present" };
  }

  #values(): string[] {
    if (!this.#takes("(")) this.#fail('"("');
    const values = [this.#word("a value")];
    while (this.#takes(",")) values.push(this.#word("a value"));
    if (!this.#takes(")")) this.#fail('"," or ")"');
    return values;
  }

  #takes(text: string): boolean {
    if (this.#token.text !== text) return false;
    this.#next++;
    return true;
  }

  #word(expected: string): string {
    const { text, isWord } = this.#token;
    if (!isWord) this.#fail(expected);
    if (!LABEL_PART.test(text)) {
      this.#fail(
        `${expected} of at most ${MAX_LABEL_LENGTH} characters that begins with a letter or digit`,
      );
    }
    this.#next++;
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
