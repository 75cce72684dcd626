import { isAbsolute, posix, sep } from "node:path";
import { UsageError } from "../../util/flags.ts";
import { expandBraces } from "./braces.ts";
import { comparable } from "./paths.ts";

/** A glob for paths within a root, with forward slashes and without braces. */
export interface Pattern {
  text: string;
  /** True for a pattern that begins at a root; others match at every depth. */
  isAnchored: boolean;
}

/** Places that a pattern may name, besides paths within a root. */
export interface Places {
  /** Absolute paths of the roots, in every spelling. */
  roots: readonly string[];
  /** Paths of the home folder, which `~` and `$HOME` stand for, in every spelling. */
  homes: readonly string[];
}

/** Most alternatives of a pattern; more would take too long to match. */
const MAX_ALTERNATIVES = 100;
const MAX_PATTERNS = 1000;

/**
 * Reads an owner's patterns. Other spellings of a path within a root are corrected. A pattern that can
 * match nothing is refused, as it would protect nothing.
 * @param setting for the message
 * @throws UsageError that says how to write it
 */
export function readPatterns(setting: string, texts: readonly string[], places: Places): Pattern[] {
  const patterns = texts.flatMap((text) => {
    try {
      return readPattern(text, places);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      throw new UsageError(`${setting} has the pattern "${text}": ${error.message}`);
    }
  });
  if (patterns.length <= MAX_PATTERNS) return patterns;
  throw new UsageError(`${setting} has ${patterns.length} patterns, expected ${MAX_PATTERNS}`);
}

/** Why a pattern is refused, and how to write it. */
class Problem extends Error {}

function readPattern(text: string, places: Places): Pattern[] {
  checkSpelling(text);
  const isPath = text.replace(/\/+$/, "").includes("/");
  return alternativesOf(text).flatMap((alternative) => {
    const paths = pathsOf(alternative, places);
    return paths.map((path) => ({
      text: path || "**",
      isAnchored: isPath || path !== alternative,
    }));
  });
}

function checkSpelling(text: string): void {
  const trimmed = text
    .split("/")
    .map((step) => step.trim())
    .join("/");
  if (trimmed !== text) {
    throw new Problem(`write "${trimmed}", or [ ] for a space that a name begins or ends with`);
  }
  if (text.startsWith("!")) {
    throw new Problem(`write it without the "!", what may leave and what may not are apart`);
  }
  // On other systems than Windows, a backslash makes the next character a plain one.
  const stray = sep === "\\" ? /\\/ : /\\(?![*?[\]{}!\\,])/;
  if (stray.test(text)) throw new Problem(`write "${text.replaceAll("\\", "/")}"`);
}

function alternativesOf(text: string): string[] {
  let all: string[] | null;
  try {
    all = expandBraces(text, MAX_ALTERNATIVES);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Problem(`${reason}, write [{], [}], [[] or []] for the character itself`);
  }
  if (!all) throw new Problem(`write it as several, it stands for over ${MAX_ALTERNATIVES}`);
  const stray = /[,;\r\n]/.exec(all.map((one) => one.replace(/\\.|\[[^\]]*\]/gs, "")).join(""));
  if (stray) {
    throw new Problem(
      `write each pattern by itself, or [${stray[0]}] where a name has that character`,
    );
  }
  if (all.includes("")) throw new Problem("write a name in each part of the braces");
  return all;
}

/** The paths within roots that a spelling stands for; "" is the root itself. */
function pathsOf(text: string, { roots, homes }: Places): string[] {
  const [, inHome] = /^(?:~|\$HOME)(\/.*|$)/s.exec(text) ?? [];
  const isUp = text.split("/").includes("..");
  if (inHome === undefined && !isAbsolute(text) && !isUp) return [cleaned(text)];
  const folders = roots.map(slashed);
  let spelled = folders.map((root) => `${root}/${text}`);
  if (inHome !== undefined) spelled = homes.map((home) => slashed(home) + inHome);
  else if (isAbsolute(text)) spelled = [text];
  const within = spelled.flatMap((path) =>
    folders.flatMap((root) => pathWithin(root, posix.normalize(path)) ?? []),
  );
  if (within.length > 0) return [...new Set(within)];
  const path = cleaned(text);
  const isPlain = inHome === undefined && !isUp && path !== "";
  // A leading slash before a single name has always been ignored.
  if (isPlain && !path.includes("/")) return [path];
  const example = isPlain ? path : "logs/a.txt";
  throw new Problem(`it is in no folder that is served, write a path within one: "${example}"`);
}

function slashed(path: string): string {
  return path.replaceAll(sep, "/");
}

/** @returns null where the path is outside */
function pathWithin(folder: string, path: string): string | null {
  if (comparable(cleaned(path)) === comparable(cleaned(folder))) return "";
  const start = folder.endsWith("/") ? folder : `${folder}/`;
  if (!comparable(path).startsWith(comparable(start))) return null;
  return cleaned(path.slice(start.length));
}

/** Removes steps that name nothing: `./a//b/` becomes `a/b`. */
function cleaned(path: string): string {
  return path
    .split("/")
    .filter((step) => step !== "" && step !== ".")
    .join("/");
}
