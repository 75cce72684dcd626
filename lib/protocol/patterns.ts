import { expandBraces, PatternError, starForBraces } from "./braces.ts";
import { NamePattern } from "./name-pattern.ts";

/*
 * The patterns that say which files a set is made of. Both sides know them: the server refuses what
 * cannot be read, the client walks its folders with them.
 */

/** Most patterns in a request, and most characters in each. */
export const MAX_PATTERNS = 100;
export const MAX_PATTERN_LENGTH = 1_024;

/** Most patterns in a request once braces are expanded. */
const MAX_ALTERNATIVES = 1_000;

/** A part of a pattern between slashes; `null` stands for `**`, folders of any depth. */
type Part = NamePattern | null;

/** One of the texts that the braces of a pattern expand to. */
interface Alternative {
  parts: Part[];
  /** Index of its pattern. */
  pattern: number;
}

/** Patterns of paths, separated by `/` on every system. A walk through folders asks them name by name. */
export class PathPatterns {
  readonly #relative: Alternative[];
  readonly #absolute: Alternative[];

  /**
   * @param patterns relative to a folder, or absolute: `logs`, `sales_*.csv`, `{a,b}/?[0-9]`
   * @throws PatternError
   */
  constructor(private readonly patterns: readonly string[]) {
    const { relative, absolute } = readAll(patterns);
    this.#relative = relative;
    this.#absolute = absolute;
  }

  /** The index of each pattern. */
  get indices(): Iterable<number> {
    return this.patterns.keys();
  }

  /** Whether any of them is absolute: what it names depends on where a root lies. */
  get hasAbsolute(): boolean {
    return this.#absolute.length > 0;
  }

  /** Whether each of them is the path of one file or folder. */
  get isLiteral(): boolean {
    const all = [...this.#relative, ...this.#absolute].flatMap(({ parts }) => parts);
    return all.every((part) => part !== null && part.literal !== null);
  }

  /**
   * Where a walk through a root begins.
   * @param root the names of the root's own path, which absolute patterns begin with
   */
  startIn(root: readonly string[]): PatternWalk {
    const fresh = (alternatives: Alternative[]) => alternatives.map((of) => ({ of, next: 0 }));
    const inRoot = root.reduce(
      (positions, name) => advance(closure(positions), name),
      fresh(this.#absolute),
    );
    return PatternWalk.at([...fresh(this.#relative), ...inRoot]);
  }

  /** Whether they match a path in a root, or a folder that holds it. */
  match(names: readonly string[], root: readonly string[] = []): boolean {
    return names.reduce((walk, name) => walk.step(name), this.startIn(root)).matched;
  }
}

/** @throws PatternError */
function readAll(patterns: readonly string[]): Record<"relative" | "absolute", Alternative[]> {
  const read: ReturnType<typeof readAll> = { relative: [], absolute: [] };
  let count = 0;
  for (const [pattern, given] of patterns.entries()) {
    const texts = expandBraces(given, MAX_ALTERNATIVES - count);
    count += texts.length;
    for (const text of texts) {
      read[isAbsolute(text) ? "absolute" : "relative"].push({ parts: partsOf(text), pattern });
    }
  }
  return read;
}

/** Why patterns cannot be read, in a sentence; null if they can. */
export function flawOfPatterns(patterns: readonly string[]): string | null {
  try {
    readAll(patterns);
    return null;
  } catch (error) {
    if (error instanceof PatternError) return error.message;
    throw error;
  }
}

/** The last part of a readable pattern that stands for one name alone; null if there is none. */
export function literalNameOf(pattern: string): string | null {
  const names = partsOf(starForBraces(pattern)).map((part) => part?.literal ?? null);
  return names.findLast((name) => name !== null) ?? null;
}

/** `/srv/data`, or on Windows `C:/data`. */
function isAbsolute(pattern: string): boolean {
  return /^(?:\/|[A-Za-z]:\/)/.test(pattern);
}

/** How much of one pattern has matched by the time that the walk is here. */
interface Position {
  of: Alternative;
  next: number;
}

function hasEnded({ of, next }: Position): boolean {
  return next === of.parts.length;
}

const NOTHING: readonly number[] = [];

/** Where a walk through folders is, as seen by the patterns. It never changes: a step gives another. */
export class PatternWalk {
  private constructor(
    /** Positions in the alternatives that have not ended. */
    private readonly positions: Position[],
    /** Indices of the patterns that match the place where the walk is: a file, or a folder with all in it. */
    readonly matchedBy: readonly number[],
  ) {}

  static at(positions: Position[]): PatternWalk {
    const reached = closure(positions);
    const ended = reached.filter(hasEnded);
    if (ended.length === 0) return new PatternWalk(reached, NOTHING);
    const by = new Set(ended.map(({ of }) => of.pattern));
    return new PatternWalk(
      reached.filter((position) => !hasEnded(position)),
      [...by],
    );
  }

  /** Whether any pattern matches the place where the walk is. */
  get matched(): boolean {
    return this.matchedBy.length > 0;
  }

  /** Whether anything in this folder can match. */
  get mayMatchInside(): boolean {
    return this.matched || this.positions.length > 0;
  }

  /**
   * Goes one name further, into a folder or to a file. What a matched folder holds matches too, except
   * names that begin with a dot.
   */
  step(name: string): PatternWalk {
    const isInside = this.matched && !name.startsWith(".");
    // Most often: nothing is left to be matched.
    if (this.positions.length === 0) return isInside ? this : NOWHERE;
    const walk = PatternWalk.at(advance(this.positions, name));
    if (!isInside) return walk;
    return new PatternWalk(walk.positions, [...new Set([...this.matchedBy, ...walk.matchedBy])]);
  }
}

/** A walk in which nothing can match. */
const NOWHERE = PatternWalk.at([]);

/** Moves each position one name further. */
function advance(positions: Position[], name: string): Position[] {
  return positions.flatMap(({ of, next }): Position[] => {
    const { parts } = of;
    const part = parts[next];
    if (part === undefined) return [];
    if (part === null) {
      if (name.startsWith(".")) return [];
      return next === parts.length - 1 ? [{ of, next: parts.length }] : [{ of, next }];
    }
    return part.matches(name) ? [{ of, next: next + 1 }] : [];
  });
}

/** Lets `**` stand for no folder at all, except at the end: `a/**` means what is in `a`, not `a` itself. */
function closure(positions: Position[]): Position[] {
  if (positions.every(({ of, next }) => of.parts[next] !== null)) return positions;
  const reached: Position[] = [];
  const known = new Map<Alternative, Set<number>>();
  for (const { of, next } of positions) {
    const seen = known.get(of) ?? new Set();
    known.set(of, seen);
    for (let at = next; !seen.has(at); at++) {
      seen.add(at);
      reached.push({ of, next: at });
      if (of.parts[at] !== null || at === of.parts.length - 1) break;
    }
  }
  return reached;
}

function partsOf(pattern: string): Part[] {
  const texts = splitAtSlashes(pattern);
  // A slash at the end names a folder, with all that is in it.
  if (texts.at(-1) === "" && texts.some((text) => text !== "")) texts.push("**");
  const parts = texts
    .filter((part) => part !== "" && part !== ".")
    // `**` after `**` matches nothing more, and would take time for each name.
    .filter((part, at, all) => part !== "**" || all[at - 1] !== "**")
    .map((part) => (part === "**" ? null : new NamePattern(part)));
  if (parts.length === 0) throw new PatternError(`"${pattern}" names nothing`);
  if (parts.some((part) => part?.literal === "..")) {
    throw new PatternError(`"${pattern}" leads out of its folder, name what is in it`);
  }
  return parts;
}

/** Splits at slashes, also where a backslash stands before one: no name contains a slash. */
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
