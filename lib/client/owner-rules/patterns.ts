import { isAbsolute, posix, sep } from "node:path";
import { UsageError } from "../../util/flags.ts";
import { expandBraces } from "./braces.ts";
import { comparable } from "./paths.ts";

/** A glob for paths within a root, with forward slashes and without braces. */
export interface Pattern {
  text: string;
  /** Whether the pattern starts at a root. Other patterns match at any depth. */
  isAnchored: boolean;
}

/** Absolute paths of folders. A pattern may begin with one of them. */
export interface BaseFolders {
  /** Absolute paths of the roots, both as given and without symbolic links. */
  roots: readonly string[];
  /** Paths of the home folder, which `~` and `$HOME` stand for, both as given and without symbolic links. */
  homes: readonly string[];
}

/**
 * Maximum number of patterns that the braces of one pattern may expand to, and maximum number of patterns of
 * one setting after all braces are expanded. Matching more patterns would take too long.
 */
const MAX_ALTERNATIVES = 100;
const MAX_PATTERNS = 1000;

/**
 * Parses the site owner's patterns of files that may or may not leave. Absolute paths are turned into paths
 * within a root. A pattern that cannot match anything is refused, because it would protect nothing.
 * @param setting name of the setting, for the error message
 * @throws UsageError if a pattern is invalid or there are too many. The message says what is expected.
 */
export function readPatterns(
  setting: string,
  texts: readonly string[],
  baseFolders: BaseFolders,
): Pattern[] {
  const patterns = texts.flatMap((text) => {
    try {
      return readPattern(text, baseFolders);
    } catch (error) {
      if (!(error instanceof InvalidPattern)) throw error;
      throw new UsageError(`${setting} has the pattern "${text}": ${error.message}`);
    }
  });
  if (patterns.length <= MAX_PATTERNS) return patterns;
  throw new UsageError(`${setting} has ${patterns.length} patterns, expected ${MAX_PATTERNS}`);
}

/** An error in a pattern. The message says how to write the pattern. */
class InvalidPattern extends Error {}

function readPattern(text: string, baseFolders: BaseFolders): Pattern[] {
  checkSpelling(text);
  const hasSlash = text.replace(/\/+$/, "").includes("/");
  return alternativesOf(text).flatMap((alternative) => {
    const paths = pathsOf(alternative, baseFolders);
    return paths.map((path) => ({
      text: path || "**",
      isAnchored: hasSlash || path !== alternative,
    }));
  });
}

function checkSpelling(text: string): void {
  const trimmed = text
    .split("/")
    .map((step) => step.trim())
    .join("/");
  if (trimmed !== text) {
    throw new InvalidPattern(
      `write "${trimmed}", or [ ] for a space that a name begins or ends with`,
    );
  }
  if (text.startsWith("!")) {
    throw new InvalidPattern(`write it without the "!", what may leave and what may not are apart`);
  }
  // Except on Windows, a backslash makes the special character after it literal. Any other backslash is
  // refused.
  const stray = sep === "\\" ? /\\/ : /\\(?![*?[\]{}!\\,])/;
  if (stray.test(text)) throw new InvalidPattern(`write "${text.replaceAll("\\", "/")}"`);
}

function alternativesOf(text: string): string[] {
  let all: string[] | null;
  try {
    all = expandBraces(text, MAX_ALTERNATIVES);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new InvalidPattern(`${reason}, write [{], [}], [[] or []] for the character itself`);
  }
  if (!all) throw new InvalidPattern(`write it as several, it stands for over ${MAX_ALTERNATIVES}`);
  const stray = /[,;\r\n]/.exec(all.map((one) => one.replace(/\\.|\[[^\]]*\]/gs, "")).join(""));
  if (stray) {
    throw new InvalidPattern(
      `write each pattern by itself, or [${stray[0]}] where a name has that character`,
    );
  }
  if (all.includes("")) throw new InvalidPattern("write a name in each part of the braces");
  return all;
}

/** Returns the paths within roots that a pattern stands for. "" is the root itself. */
function pathsOf(text: string, { roots, homes }: BaseFolders): string[] {
  const [, pathInHome] = /^(?:~|\$HOME)(\/.*|$)/s.exec(text) ?? [];
  const hasParentStep = text.split("/").includes("..");
  if (pathInHome === undefined && !isAbsolute(text) && !hasParentStep) return [cleaned(text)];
  const folders = roots.map(withForwardSlashes);
  let candidates = folders.map((root) => `${root}/${text}`);
  if (pathInHome !== undefined)
    candidates = homes.map((home) => withForwardSlashes(home) + pathInHome);
  else if (isAbsolute(text)) candidates = [text];
  const pathsInRoots = candidates.flatMap((path) =>
    folders.flatMap((root) => pathWithin(root, posix.normalize(path)) ?? []),
  );
  if (pathsInRoots.length > 0) return [...new Set(pathsInRoots)];
  const path = cleaned(text);
  const isPlain = pathInHome === undefined && !hasParentStep && path !== "";
  // Kept for compatibility: "/name" means the same as "name".
  if (isPlain && !path.includes("/")) return [path];
  const example = isPlain ? path : "logs/a.txt";
  throw new InvalidPattern(
    `it is in no folder that is served, write a path within one: "${example}"`,
  );
}

function withForwardSlashes(path: string): string {
  return path.replaceAll(sep, "/");
}

/** Returns a path relative to a folder; null if the path is outside. */
function pathWithin(folder: string, path: string): string | null {
  if (comparable(cleaned(path)) === comparable(cleaned(folder))) return "";
  const start = folder.endsWith("/") ? folder : `${folder}/`;
  if (!comparable(path).startsWith(comparable(start))) return null;
  return cleaned(path.slice(start.length));
}

/** Removes redundant parts of a path: `./a//b/` becomes `a/b`. */
function cleaned(path: string): string {
  return path
    .split("/")
    .filter((step) => step !== "" && step !== ".")
    .join("/");
}
