/**
 * Expands the braces of a pattern: `{a,b}.txt` becomes `a.txt` and `b.txt`. A brace after a backslash or in
 * brackets stands for itself, and ranges such as `{1..9}` are not expanded.
 * @param maxResults limit of the number of results, which can grow exponentially with the length of the
 *   pattern
 * @returns the expanded patterns; null if there would be more than `maxResults`
 * @throws Error if a brace or bracket has no partner
 */
export function expandBraces(pattern: string, maxResults: number): string[] | null {
  const group = findGroup(pattern);
  if (!group) return [pattern];
  const { start, end, branches } = group;
  const rest = expandBraces(pattern.slice(end + 1), maxResults);
  if (!rest) return null;
  const all: string[] = [];
  for (const branch of branches) {
    const isRange = branches.length === 1 && RANGE.test(branch);
    const inner = isRange ? [`{${branch}}`] : expandBraces(branch, maxResults);
    if (!inner || all.length + inner.length * rest.length > maxResults) return null;
    const before = pattern.slice(0, start);
    for (const text of inner) all.push(...rest.map((tail) => before + text + tail));
  }
  return all;
}

const RANGE = /^[^{},[\]\\]+\.\.[^{},[\]\\]+$/;

interface Group {
  /** Positions of the opening and of the closing brace in the pattern. */
  start: number;
  end: number;
  branches: string[];
}

/** Finds the first outermost group of braces in a pattern; null if there is none. */
function findGroup(pattern: string): Group | null {
  let depth = 0;
  let start = 0;
  let branchStart = 0;
  const branches: string[] = [];
  for (let at = 0; at < pattern.length; at++) {
    switch (pattern[at]) {
      case "\\":
        at++;
        break;
      case "[":
        at = endOfClass(pattern, at);
        break;
      case "]":
        throw new Error('"]" has no "["');
      case "{":
        if (depth++ > 0) break;
        start = at;
        branchStart = at + 1;
        break;
      case ",":
        if (depth !== 1) break;
        branches.push(pattern.slice(branchStart, at));
        branchStart = at + 1;
        break;
      case "}":
        if (depth === 0) throw new Error('"}" has no "{"');
        if (--depth > 0) break;
        branches.push(pattern.slice(branchStart, at));
        return { start, end: at, branches };
    }
  }
  if (depth > 0) throw new Error('"{" has no "}"');
  return null;
}

/**
 * Returns the position of the `]` that ends a bracket expression. As in POSIX, a `]` right after the `[`
 * stands for itself.
 */
function endOfClass(pattern: string, start: number): number {
  const first = start + (/^\[[!^]/.test(pattern.slice(start, start + 2)) ? 2 : 1);
  for (let at = first; at < pattern.length; at++) {
    if (pattern[at] === "\\") at++;
    else if (pattern[at] === "]" && at > first) return at;
  }
  throw new Error('"[" has no "]"');
}
