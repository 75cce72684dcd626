import { join, sep } from "node:path";
import { FdsError } from "../../protocol/errors.ts";
import type { PathPatterns, PatternWalk } from "../../protocol/patterns.ts";
import { eventLoopBudget } from "../../util/event-loop-budget.ts";
import { nanosecondsOf } from "../../util/files-at.ts";
import type { FolderName } from "../../util/folder-names.ts";
import type { PathCheck } from "../owner-rules/path-check.ts";
import { explain } from "../owner-rules/refusal.ts";
import type { OnProgress } from "../prefix-hash.ts";
import { compareNames, OpenFolder, typeOf } from "./open-folder.ts";
import { InvalidNameError, skipReasonOf, type SkipReason } from "./skipped.ts";
import { tooMany, WalkBounds } from "./walk-bounds.ts";

/** Maximum number of names of one folder that are kept in memory. A set may have fewer files than this. */
const MAX_IN_FOLDER = 500_000;
/** Longest path of a file in bytes of UTF-8, because the server cannot store a longer path. */
const MAX_PATH_BYTES = 900;
/** Largest size of a file in bytes, because the protocol cannot state a larger size. */
const MAX_SIZE = Number.MAX_SAFE_INTEGER;
/** The number of names examined in one go, which blocks the event loop for less than a millisecond. */
const BATCH = 64;

/** A file that the patterns match. */
export interface FoundFile {
  /** The file's path relative to its root, separated by `/`. */
  path: string;
  /** Index of the root that holds the file. */
  root: number;
  size: number;
  /** Time of the last change in ns since 1970, as decimal digits. */
  mtimeNs: string;
  skipped?: SkipReason;
}

export interface WalkOptions {
  pathCheck: PathCheck;
  include: PathPatterns;
  exclude: PathPatterns;
  /** Files that were changed less than this many ms ago are skipped. */
  minAgeMs: number;
  /** Called with the number of names examined so far. Returning false ends the walk. */
  onProgress: OnProgress;
}

/** A folder during the walk, and how far the patterns have matched the folder's path. */
interface WalkedFolder extends ReadFolder {
  /** The folder's path relative to its root; "" for the root itself. */
  path: string;
  include: PatternWalk;
  exclude: PatternWalk;
}

/** An open folder, with the names inside that the patterns may match. */
interface ReadFolder {
  folder: OpenFolder;
  entries: FolderName[];
}

/** A folder to be walked through that is not open yet. */
type PendingFolder = Omit<WalkedFolder, keyof ReadFolder> & { name: string };

/**
 * Finds the files that patterns match. Files that the site owner's rules do not let out are treated as
 * missing, and links are not followed. Each folder gives its files first, then its folders, each sorted by
 * name, so two walks over the same files give the same result.
 */
export class Walk {
  readonly #bounds = new WalkBounds();
  /** Paths found in earlier roots; null if there is only one root. */
  readonly #seen: Set<string> | null;

  /** Indices of the patterns that no file has matched so far. */
  readonly #unmatched: Set<number>;

  constructor(private readonly options: WalkOptions) {
    this.#unmatched = new Set(options.include.indices);
    this.#seen = options.pathCheck.roots.length > 1 ? new Set() : null;
  }

  /** Indices of the patterns that no file matches, valid after the walk. */
  get unmatched(): number[] {
    return [...this.#unmatched];
  }

  /**
   * Walks through all roots.
   * @returns the matching files, in batches
   * @throws FdsError `access_denied` if the patterns cannot match anything in any root; `too_many_files` if
   *   there are more names than a walk may examine
   */
  async *files(): AsyncGenerator<FoundFile[]> {
    const { pathCheck, include, exclude } = this.options;
    // A site that forbids listings still sends files whose full path is given.
    if (!pathCheck.mayBrowse && !include.isLiteral) throw listingIsOff();
    let hasMatchingRoot = false;
    for (const [root, { given, real }] of pathCheck.roots.entries()) {
      const names = real.split(sep).filter((name) => name !== "");
      const start = { include: include.startIn(names), exclude: exclude.startIn(names) };
      if (!start.include.mayMatchInside || !pathCheck.mayEnter(real)) continue;
      hasMatchingRoot = true;
      const open = () => OpenFolder.open(real, pathCheck.hasProc);
      const opened = await openRoot(given, () => this.#open(open, start));
      if (!opened) continue;
      using _ = opened.folder;
      yield* this.#walk({ ...opened, path: "", ...start }, root, real);
    }
    if (!hasMatchingRoot) {
      throw new FdsError(
        "access_denied",
        "the patterns name nothing in a folder that the client serves",
      );
    }
  }

  async *#walk(current: WalkedFolder, root: number, real: string): AsyncGenerator<FoundFile[]> {
    const { entries } = current;
    const subfolders: PendingFolder[] = [];
    for (let at = 0; at < entries.length; at += BATCH) {
      if (!this.options.onProgress(this.#bounds.names)) return;
      const batch = entries.slice(at, at + BATCH);
      this.#bounds.count(batch.length);
      const isRepeated = (n: number) => entries[at + n]?.name === entries[at + n - 1]?.name;
      const { files, folders } = await eventLoopBudget.run(() =>
        this.#examine(batch, isRepeated, current, root, real),
      );
      if (files.length > 0) yield files;
      subfolders.push(...folders);
    }
    for (const { name, ...next } of subfolders) yield* this.#enter(current, name, next, root, real);
  }

  /**
   * Examines some names of a folder.
   * @param isRepeated whether the n-th of these names equals the name before it. Such names are not valid
   *   UTF-8, because only decoding can make two names of a folder equal.
   */
  #examine(
    batch: FolderName[],
    isRepeated: (n: number) => boolean,
    current: WalkedFolder,
    root: number,
    real: string,
  ) {
    const files: FoundFile[] = [];
    const folders: PendingFolder[] = [];
    const addFile = (found: FoundFile | null, include: PatternWalk) => {
      if (!found) return;
      this.#markMatched(include);
      files.push(found);
    };
    for (const [n, entry] of batch.entries()) {
      const { name } = entry;
      const include = current.include.step(name);
      const exclude = current.exclude.step(name);
      if (!include.mayMatchInside || exclude.matched) continue;
      const path = current.path === "" ? name : `${current.path}/${name}`;
      const found = { path, root, size: 0, mtimeNs: "0" };
      try {
        if (isRepeated(n)) throw new InvalidNameError();
        const type = typeOf(entry, current.folder);
        if (type === "folder" && include.matched && !this.options.pathCheck.mayBrowse)
          throw listingIsOff();
        if (type === "folder") folders.push({ name, path, include, exclude });
        else if (type === "file" && include.matched)
          addFile(this.#statFile(found, name, current, real), include);
      } catch (error) {
        const skipped = skipReasonOf(error, name);
        const isNamed = include.matched || entry.type === "folder";
        if (skipped && isNamed && this.#isVisible(entry, join(real, path)))
          addFile({ ...found, skipped }, include);
      }
    }
    return { files, folders };
  }

  /** Reports whether the owner's rules show the file or folder to the server. */
  #isVisible(entry: FolderName, path: string): boolean {
    const { pathCheck } = this.options;
    return entry.type === "folder" ? pathCheck.mayEnter(path) : pathCheck.permits(path);
  }

  /** Marks the patterns that matched a file, so that they are not reported as unmatched. */
  #markMatched({ matchedBy }: PatternWalk): void {
    if (this.#unmatched.size === 0) return;
    for (const pattern of matchedBy) this.#unmatched.delete(pattern);
  }

  /** Returns the manifest entry of a folder that cannot be walked through, as a batch of one. */
  #skippedFolder(found: FoundFile, include: PatternWalk, skipped: SkipReason): FoundFile[] {
    this.#markMatched(include);
    return [{ ...found, skipped }];
  }

  /** @returns the file; null if the owner's rules hide the file, or if an earlier root has the same path */
  #statFile(found: FoundFile, name: string, current: WalkedFolder, real: string): FoundFile | null {
    if (!this.options.pathCheck.permits(join(real, found.path)) || this.#markSeen(found.path))
      return null;
    if (Buffer.byteLength(found.path) > MAX_PATH_BYTES)
      return { ...found, skipped: "name_unusable" };
    const info = current.folder.stat(name);
    if (info.type !== "file") return null;
    if (info.size > MAX_SIZE) return { ...found, skipped: "file_unreadable" };
    const file = {
      ...found,
      size: info.size,
      mtimeNs: nanosecondsOf(info.mtimeS, info.mtimeNs),
    };
    const isSettled = info.mtimeS * 1000 + info.mtimeNs / 1e6 <= Date.now() - this.options.minAgeMs;
    return isSettled || this.options.minAgeMs === 0 ? file : { ...file, skipped: "not_settled" };
  }

  async *#enter(
    current: WalkedFolder,
    name: string,
    next: Omit<PendingFolder, "name">,
    root: number,
    real: string,
  ): AsyncGenerator<FoundFile[]> {
    if (
      !this.options.onProgress(this.#bounds.names) ||
      !this.options.pathCheck.mayEnter(join(real, next.path))
    )
      return;
    const found = { path: next.path, root, size: 0, mtimeNs: "0" };
    if (Buffer.byteLength(next.path) > MAX_PATH_BYTES) {
      yield this.#skippedFolder(found, next.include, "name_unusable");
      return;
    }
    let opened: ReadFolder;
    try {
      opened = await this.#open(() => current.folder.openFolder(name), next);
    } catch (error) {
      const skipped = skipReasonOf(error, name);
      if (skipped) yield this.#skippedFolder(found, next.include, skipped);
      return;
    }
    using _ = opened.folder;
    yield* this.#walk({ ...next, ...opened }, root, real);
  }

  /**
   * Opens a folder, reads its names, and keeps those that the patterns may match.
   * @throws an error of the system, or Refusal; FdsError `too_many_files`
   */
  async #open(
    open: () => OpenFolder,
    { include, exclude }: Pick<WalkedFolder, "include" | "exclude">,
  ): Promise<ReadFolder> {
    const folder = open();
    try {
      const entries: FolderName[] = [];
      for await (const names of folder.names()) {
        if (!this.options.onProgress(this.#bounds.names)) break;
        const wanted = names.filter(
          ({ name }) => include.step(name).mayMatchInside && !exclude.step(name).matched,
        );
        entries.push(...wanted);
        // Counts only the names that are dropped here. The kept names are counted when they are examined.
        this.#bounds.count(names.length - wanted.length);
        if (entries.length > MAX_IN_FOLDER) throw tooMany(`over ${MAX_IN_FOLDER} in one folder`);
      }
      return { folder, entries: entries.toSorted((a, b) => compareNames(a.name, b.name)) };
    } catch (error) {
      folder[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Remembers the path of a file.
   * @returns true if an earlier root has a file with the same relative path, which is then used instead
   */
  #markSeen(path: string): boolean {
    if (this.#seen?.has(path)) return true;
    this.#seen?.add(path);
    return false;
  }
}

/**
 * Opens a root and reads its names.
 * @returns null for a root that no longer exists
 * @throws FdsError with the reason why the root cannot be read
 */
async function openRoot(path: string, open: () => Promise<ReadFolder>): Promise<ReadFolder | null> {
  try {
    return await open();
  } catch (error) {
    const problem = explain(error, path);
    if (problem.code === "file_not_found") return null;
    throw problem;
  }
}

/** Returns the error for a site that does not allow listing names. */
export function listingIsOff(): FdsError {
  return new FdsError("access_denied", "the site lists no files: name a file");
}
