import { expandBraces, PatternError, starForBraces } from "./braces.ts";
import { NamePattern } from "./name-pattern.ts";

/*
 * Patterns that select the files of a set. The server uses them to refuse invalid patterns, the client to
 * find the matching files in its folders.
 */

/** Maximum number of patterns in a request, and maximum number of characters in each pattern. */
export const MAX_PATTERNS = 100;
export const MAX_PATTERN_LENGTH = 1_024;

/** Maximum number of patterns in a request after their braces are expanded. */
const MAX_ALTERNATIVES = 1_000;

/** The part of a pattern between two slashes; `null` for `**`, which matches any number of folders. */
type Part = NamePattern | null;

/** One of the patterns that result from expanding the braces of a pattern. */
interface Alternative {
  parts: Part[];
  /** Index of the original pattern, before its braces were expanded. */
  patternIndex: number;
}

/**
 * Patterns for paths, which are separated by `/` on every system. They are matched name by name during a walk
 * through folders.
 */
export class PathPatterns {
  readonly #relative: Alternative[];
  readonly #absolute: Alternative[];

  /**
   * Parses patterns.
   * @param patterns each relative to a root or absolute: `logs`, `sales_*.csv`, `{a,b}/?[0-9]`
   * @throws PatternError
   */
  constructor(private readonly patterns: readonly string[]) {
    const { relative, absolute } = readAll(patterns);
    this.#relative = relative;
    this.#absolute = absolute;
  }

  /** The indices of all patterns. */
  get indices(): Iterable<number> {
    return this.patterns.keys();
  }

  /** Whether any pattern is absolute, so that its matches depend on the place of the root. */
  get hasAbsolute(): boolean {
    return this.#absolute.length > 0;
  }

  /** Whether no pattern has a wildcard, so that each pattern names one file or folder. */
  get isLiteral(): boolean {
    const all = [...this.#relative, ...this.#absolute].flatMap(({ parts }) => parts);
    return all.every((part) => part !== null && part.literal !== null);
  }

  /**
   * Returns the state of the patterns at the start of a walk through a root.
   * @param root the names that make up the root's absolute path. An absolute pattern can match in the root
   *   only if its first parts match these names
   */
  startIn(root: readonly string[]): PatternWalk {
    const atStart = (alternatives: Alternative[]) =>
      alternatives.map((alternative) => ({ alternative, next: 0 }));
    const inRoot = root.reduce(
      (positions, name) => advance(closure(positions), name),
      atStart(this.#absolute),
    );
    return PatternWalk.at([...atStart(this.#relative), ...inRoot]);
  }

  /** Reports whether any pattern matches a path in a root, or one of the folders on this path. */
  match(names: readonly string[], root: readonly string[] = []): boolean {
    return names.reduce((walk, name) => walk.step(name), this.startIn(root)).matched;
  }
}

/** Parses patterns, after expanding their braces. @throws PatternError */
function readAll(patterns: readonly string[]): Record<"relative" | "absolute", Alternative[]> {
  const alternatives: ReturnType<typeof readAll> = { relative: [], absolute: [] };
  let count = 0;
  for (const [patternIndex, pattern] of patterns.entries()) {
    const texts = expandBraces(pattern, MAX_ALTERNATIVES - count);
    count += texts.length;
    for (const text of texts) {
      alternatives[isAbsolute(text) ? "absolute" : "relative"].push({
        parts: partsOf(text),
        patternIndex,
      });
    }
  }
  return alternatives;
}

/** Returns in a sentence what is wrong with the patterns; null if they are valid. */
export function flawOfPatterns(patterns: readonly string[]): string | null {
  try {
    readAll(patterns);
    return null;
  } catch (error) {
    if (error instanceof PatternError) return error.message;
    throw error;
  }
}

/** Returns the last part without a wildcard in a valid pattern; null if every part has a wildcard. */
export function literalNameOf(pattern: string): string | null {
  const names = partsOf(starForBraces(pattern)).map((part) => part?.literal ?? null);
  return names.findLast((name) => name !== null) ?? null;
}

/** Reports whether a pattern is absolute, like `/srv/data`, or `C:/data` on Windows. */
function isAbsolute(pattern: string): boolean {
  return /^(?:\/|[A-Za-z]:\/)/.test(pattern);
}

/**
 * How many parts of one pattern have matched on the way to the current folder. `next` is the index of the
 * next part.
 */
interface Position {
  alternative: Alternative;
  next: number;
}

function hasEnded({ alternative, next }: Position): boolean {
  return next === alternative.parts.length;
}

const NO_PATTERNS: readonly number[] = [];

/**
 * How much of each pattern has matched at one place of a walk through folders. The object is immutable: each
 * step returns a new one.
 */
export class PatternWalk {
  private constructor(
    /** The patterns that can still match further inside, each with the number of parts matched so far. */
    private readonly positions: Position[],
    /** Indices of the patterns that match the current file, or the current folder with everything inside. */
    readonly matchedBy: readonly number[],
  ) {}

  static at(positions: Position[]): PatternWalk {
    const reached = closure(positions);
    const ended = reached.filter(hasEnded);
    if (ended.length === 0) return new PatternWalk(reached, NO_PATTERNS);
    const matchedBy = new Set(ended.map(({ alternative }) => alternative.patternIndex));
    return new PatternWalk(
      reached.filter((position) => !hasEnded(position)),
      [...matchedBy],
    );
  }

  /** Whether any pattern matches the current file or folder. */
  get matched(): boolean {
    return this.matchedBy.length > 0;
  }

  /** Whether any pattern can match something inside the current folder. */
  get mayMatchInside(): boolean {
    return this.matched || this.positions.length > 0;
  }

  /**
   * Returns the state for a name inside the current folder. If the folder matches, so does everything inside,
   * except names that begin with a dot.
   */
  step(name: string): PatternWalk {
    const isInside = this.matched && !name.startsWith(".");
    // A fast path for the most frequent case, in which no pattern can match further inside.
    if (this.positions.length === 0) return isInside ? this : NO_MATCH;
    const walk = PatternWalk.at(advance(this.positions, name));
    if (!isInside) return walk;
    return new PatternWalk(walk.positions, [...new Set([...this.matchedBy, ...walk.matchedBy])]);
  }
}

/** The state in which no pattern can match any more. */
const NO_MATCH = PatternWalk.at([]);

/** Advances each position past one name of the path, and drops the positions that do not match this name. */
function advance(positions: Position[], name: string): Position[] {
  return positions.flatMap(({ alternative, next }): Position[] => {
    const { parts } = alternative;
    const part = parts[next];
    if (part === undefined) return [];
    if (part === null) {
      if (name.startsWith(".")) return [];
      return next === parts.length - 1
        ? [{ alternative, next: parts.length }]
        : [{ alternative, next }];
    }
    return part.matches(name) ? [{ alternative, next: next + 1 }] : [];
  });
}

/**
 * Adds the position after each `**`, because `**` can also match no folder at all. A `**` at the end is an
 * exception: `a/**` matches only names inside `a`.
 */
function closure(positions: Position[]): Position[] {
  if (positions.every(({ alternative, next }) => alternative.parts[next] !== null))
    return positions;
  const reached: Position[] = [];
  const seenByAlternative = new Map<Alternative, Set<number>>();
  for (const { alternative, next } of positions) {
    const seen = seenByAlternative.get(alternative) ?? new Set();
    seenByAlternative.set(alternative, seen);
    for (let at = next; !seen.has(at); at++) {
      seen.add(at);
      reached.push({ alternative, next: at });
      if (alternative.parts[at] !== null || at === alternative.parts.length - 1) break;
    }
  }
  return reached;
}

function partsOf(pattern: string): Part[] {
  const texts = splitAtSlashes(pattern);
  // A slash at the end means the folder with everything inside.
  if (texts.at(-1) === "" && texts.some((text) => text !== "")) texts.push("**");
  const parts = texts
    .filter((part) => part !== "" && part !== ".")
    // A second `**` in a row matches nothing more, and would cost time for each name.
    .filter((part, at, all) => part !== "**" || all[at - 1] !== "**")
    .map((part) => (part === "**" ? null : new NamePattern(part)));
  if (parts.length === 0) throw new PatternError(`"${pattern}" names nothing`);
  if (parts.some((part) => part?.literal === "..")) {
    throw new PatternError(`"${pattern}" leads out of its folder, name what is in it`);
  }
  return parts;
}

/**
 * Splits a pattern at its slashes. A backslash before a slash is dropped, because no name contains a slash.
 */
function splitAtSlashes(pattern: string): string[] {
  const parts = [""];
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at] ?? "";
    if (char === "/") parts.push("");
    else if (char === "\\" && pattern[at + 1] !== "/")
      parts.push((parts.pop() ?? "") + char + (pattern[++at] ?? ""));
    else if (char !== "\\") parts.push((parts.pop() ?? "") + char);
  }
  return parts;
}
