/**
 * Expands braces: `{a,b}.txt` becomes `a.txt` and `b.txt`. A brace after a backslash or in brackets is
 * plain, and ranges such as `{1..9}` are not expanded.
 * @param most no more than these are made, as there can be very many
 * @returns null when there are more
 * @throws Error that says which brace or bracket lacks its partner
 */
export function expandBraces(pattern: string, most: number): string[] | null {
  const group = findGroup(pattern);
  if (!group) return [pattern];
  const { start, end, branches } = group;
  const rest = expandBraces(pattern.slice(end + 1), most);
  if (!rest) return null;
  const all: string[] = [];
  for (const branch of branches) {
    const isRange = branches.length === 1 && RANGE.test(branch);
    const inner = isRange ? [`{${branch}}`] : expandBraces(branch, most);
    if (!inner || all.length + inner.length * rest.length > most) return null;
    const before = pattern.slice(0, start);
    for (const text of inner) all.push(...rest.map((behind) => before + text + behind));
  }
  return all;
}

const RANGE = /^[^{},[\]\\]+\.\.[^{},[\]\\]+$/;

interface Group {
  /** Positions of its braces. */
  start: number;
  end: number;
  branches: string[];
}

/** The first group of braces that is not inside another one. */
function findGroup(pattern: string): Group | null {
  let depth = 0;
  let start = 0;
  let branchAt = 0;
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
        branchAt = at + 1;
        break;
      case ",":
        if (depth !== 1) break;
        branches.push(pattern.slice(branchAt, at));
        branchAt = at + 1;
        break;
      case "}":
        if (depth === 0) throw new Error('"}" has no "{"');
        if (--depth > 0) break;
        branches.push(pattern.slice(branchAt, at));
        return { start, end: at, branches };
    }
  }
  if (depth > 0) throw new Error('"{" has no "}"');
  return null;
}

/** The end of a class of characters. A bracket that comes first in it belongs to it. */
function endOfClass(pattern: string, start: number): number {
  const first = start + (/^\[[!^]/.test(pattern.slice(start, start + 2)) ? 2 : 1);
  for (let at = first; at < pattern.length; at++) {
    if (pattern[at] === "\\") at++;
    else if (pattern[at] === "]" && at > first) return at;
  }
  throw new Error('"[" has no "]"');
}
