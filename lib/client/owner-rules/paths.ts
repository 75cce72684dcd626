import { lstat, readlink } from "node:fs/promises";
import { isAbsolute, join, parse, relative, sep } from "node:path";
import { Refusal } from "./refusal.ts";

/** Most links followed on the way to one file, as on Linux. */
const MAX_LINKS = 40;

/** Whether a path is a folder itself, or lies in it. Both are absolute and have no `..`. */
export function contains(folder: string, path: string): boolean {
  const rest = relative(folder, path);
  return rest !== ".." && !rest.startsWith(`..${sep}`) && !isAbsolute(rest);
}

/** The form of a path in which it is compared: Windows ignores case. */
export function comparable(path: string): string {
  return process.platform === "win32" ? path.toLowerCase() : path;
}

/** The names in a path. A backslash separates names on Windows only. */
export function stepsOf(path: string): string[] {
  return path
    .slice(parse(path).root.length)
    .split(sep === "\\" ? /[\\/]/ : sep)
    .filter((step) => step !== "" && step !== ".");
}

/** Decisions on the way to a real path. */
export interface Guide {
  /** True where the path is known to be a real folder and need not be looked at; throws to end the walk. */
  isKnown(path: string): boolean;
  /** Called with the place of each link before it is followed; throws to end the walk. */
  onLink?: (path: string) => void;
  /** Replaces the absolute target of a link. */
  respell?: (target: string) => string;
}

/**
 * Follows a path to its real one, as the system would, one step at a time.
 * @param path absolute
 * @throws Refusal `missing` when there are too many links, an error of the system, or what the guide throws
 */
export async function walk(path: string, guide: Guide): Promise<string> {
  let current = parse(path).root;
  let links = 0;
  const steps = stepsOf(path);
  for (let step = steps.shift(); step !== undefined; step = steps.shift()) {
    const next = join(current, step);
    if (guide.isKnown(next) || !(await lstat(next)).isSymbolicLink()) {
      current = next;
      continue;
    }
    guide.onLink?.(next);
    if (++links > MAX_LINKS) throw new Refusal("missing");
    const read = await readlink(next);
    const target = guide.respell?.(read) ?? read;
    if (isAbsolute(target)) current = parse(target).root;
    steps.unshift(...stepsOf(target));
  }
  return current;
}
