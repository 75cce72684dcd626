import { lstat, readlink } from "node:fs/promises";
import { isAbsolute, join, parse, relative, sep } from "node:path";
import { Refusal } from "./refusal.ts";

/** Maximum number of symbolic links followed in one path, as on Linux. */
const MAX_LINKS = 40;

/** Reports whether a path is the given folder or is inside it. Both paths are absolute and have no `..`. */
export function contains(folder: string, path: string): boolean {
  const rest = relative(folder, path);
  return rest !== ".." && !rest.startsWith(`..${sep}`) && !isAbsolute(rest);
}

/** Returns a path in the form used for comparing. Windows ignores case. */
export function comparable(path: string): string {
  return process.platform === "win32" ? path.toLowerCase() : path;
}

/** Returns the names in a path. A backslash separates names on Windows only. */
export function stepsOf(path: string): string[] {
  return path
    .slice(parse(path).root.length)
    .split(sep === "\\" ? /[\\/]/ : sep)
    .filter((step) => step !== "" && step !== ".");
}

/** Callbacks that control how symbolic links are resolved. */
export interface LinkCallbacks {
  /**
   * Called with each path on the way, before the disk is accessed. Returns true if the path is known to be a
   * real folder, so that the disk need not be accessed. May throw to end the resolution.
   */
  isKnownFolder(path: string): boolean;
  /** Called with the path of each link before the link is followed. May throw to end the resolution. */
  onLink?: (path: string) => void;
  /** Called with the target of each link that is followed. Returns the path to use instead of the target. */
  mapTarget?: (target: string) => string;
}

/**
 * Resolves all symbolic links of a path, one name at a time, as the operating system would.
 * @param path absolute
 * @throws Refusal `missing` if there are too many links; an error of the system; any error that one of
 *   the `callbacks` throws
 */
export async function resolveLinks(path: string, callbacks: LinkCallbacks): Promise<string> {
  let current = parse(path).root;
  let links = 0;
  const steps = stepsOf(path);
  for (let step = steps.shift(); step !== undefined; step = steps.shift()) {
    const next = join(current, step);
    if (callbacks.isKnownFolder(next) || !(await lstat(next)).isSymbolicLink()) {
      current = next;
      continue;
    }
    callbacks.onLink?.(next);
    if (++links > MAX_LINKS) throw new Refusal("missing");
    const read = await readlink(next);
    const target = callbacks.mapTarget?.(read) ?? read;
    if (isAbsolute(target)) current = parse(target).root;
    steps.unshift(...stepsOf(target));
  }
  return current;
}
