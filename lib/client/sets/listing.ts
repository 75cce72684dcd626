import { join, sep } from "node:path";
import { FdsError } from "../../protocol/errors.ts";
import { eventLoopBudget } from "../../util/event-loop-budget.ts";
import type { FileInfo } from "../../util/files-at.ts";
import type { FolderName } from "../../util/folder-names.ts";
import { explain, Refusal } from "../owner-rules/refusal.ts";
import type { PathCheck } from "../owner-rules/path-check.ts";
import { contains } from "../owner-rules/paths.ts";
import { compareNames, type EntryType, OpenFolder, typeOf } from "./open-folder.ts";

/** Maximum number of names that are read from one folder. Further names are left out of the listing. */
const MAX_NAMES = 100_000;
/** The largest number of ms before or after 1970 that a JavaScript Date can hold. */
const MAX_TIME_MS = 8.64e15;
/** The number of names examined in one go, which blocks the event loop for less than a millisecond. */
const BATCH = 64;

/** A file or folder in a listing. */
export interface Entry {
  name: string;
  type: "file" | "folder";
  /** Size in bytes; null for a folder. */
  size: number | null;
  /** Time of the last change, in ms since 1970. */
  mtimeMs: number;
}

/** A page of a folder's names, ordered by their bytes in UTF-8. */
export interface Page {
  entries: Entry[];
  /** Whether more names follow on the next page. */
  more: boolean;
  /** Whether the folder has too many names, so that some are missing from the listing. */
  truncated: boolean;
}

export interface ListOptions {
  pathCheck: PathCheck;
  /** The folder's path, as an operator gave it; undefined to list the roots. */
  path: string | undefined;
  /** The last name of the previous page; undefined for the first page. */
  after: string | undefined;
  limit: number;
}

/**
 * Reads a page of the names in a folder. Names that the site owner's rules hide are left out.
 * @throws FdsError `access_denied` if the path is outside the roots or the rules deny it, whether or not the
 *   folder exists; `file_not_found`; `not_a_folder`
 */
export async function listFolder(options: ListOptions): Promise<Page> {
  const { path, pathCheck } = options;
  if (path === undefined) return listRoots(options);
  const real = await pathCheck.findFolder(path);
  try {
    using folder = openWithin(pathCheck, real);
    return await readPage(folder, real, options);
  } catch (error) {
    if (!isNoFolder(error)) throw explain(error, path);
    // A file that may not leave the site gets the same error as a missing file.
    if (!pathCheck.permits(real)) throw explain(new Refusal("missing"), path);
    throw new FdsError("not_a_folder", `"${path}" is not a folder`, { cause: error });
  }
}

function listRoots({ pathCheck, after, limit }: ListOptions): Page {
  const roots = pathCheck.roots
    .toSorted((a, b) => compareNames(a.given, b.given))
    .filter(({ given }, at, sorted) => given !== sorted[at - 1]?.given);
  const remaining = roots.filter(
    ({ given }) => after === undefined || compareNames(given, after) > 0,
  );
  const entries = remaining.slice(0, limit).flatMap(({ given, real }): Entry[] => {
    try {
      using folder = OpenFolder.open(real, pathCheck.hasProc);
      const mtimeMs = timeOf(folder.stat("."));
      return [{ name: given, type: "folder", size: null, mtimeMs }];
    } catch (error) {
      // A root that is gone or unreadable by now is left out. Other errors are thrown again by explain().
      explain(error, given);
      return [];
    }
  });
  return { entries, more: remaining.length > limit, truncated: false };
}

/** Opens a folder by opening each folder on its path, from the root down. */
function openWithin(pathCheck: PathCheck, real: string): OpenFolder {
  const root = pathCheck.roots.find((place) => contains(place.real, real))?.real ?? real;
  const names = real
    .slice(root.length)
    .split(sep)
    .filter((name) => name !== "");
  let folder = OpenFolder.open(root, pathCheck.hasProc);
  for (const name of names) {
    using parent = folder;
    folder = parent.openFolder(name);
  }
  return folder;
}

async function readPage(folder: OpenFolder, real: string, options: ListOptions): Promise<Page> {
  const { pathCheck, after, limit } = options;
  const all = await firstNames(folder);
  const names = all
    .slice(0, MAX_NAMES)
    .filter(({ name }) => after === undefined || compareNames(name, after) > 0)
    .toSorted((a, b) => compareNames(a.name, b.name))
    // Names that are not valid UTF-8 can become equal when decoded, so only one of them is listed.
    .filter(({ name }, at, sorted) => name !== sorted[at - 1]?.name);
  const page: Page = { entries: [], more: false, truncated: all.length > MAX_NAMES };
  for (let at = 0; at < names.length && !page.more; at += BATCH) {
    const batch = names.slice(at, at + BATCH);
    await eventLoopBudget.run(() => {
      for (const entry of batch) {
        const listed = readEntry(entry.name, () => typeOf(entry, folder), folder, pathCheck, real);
        if (!listed) continue;
        if (page.entries.length < limit) page.entries.push(listed);
        else page.more = true;
      }
    });
  }
  return page;
}

/**
 * Reads the names in a folder until there are more than MAX_NAMES. A longer result therefore shows that the
 * folder has too many names.
 */
async function firstNames(folder: OpenFolder): Promise<FolderName[]> {
  const all: FolderName[] = [];
  for await (const names of folder.names()) {
    all.push(...names);
    if (all.length > MAX_NAMES) break;
  }
  return all;
}

/** @returns the entry for a listing; null if the owner's rules hide the name, or if its file is gone */
function readEntry(
  name: string,
  type: () => EntryType,
  folder: OpenFolder,
  pathCheck: PathCheck,
  real: string,
): Entry | null {
  const path = join(real, name);
  try {
    const kind = type();
    const isListed =
      kind === "folder" ? pathCheck.mayEnter(path) : kind === "file" && pathCheck.permits(path);
    if (!isListed) return null;
    const info = folder.stat(name);
    const isFile = kind === "file";
    return {
      name,
      type: isFile ? "file" : "folder",
      size: isFile ? Math.min(info.size, Number.MAX_SAFE_INTEGER) : null,
      mtimeMs: timeOf(info),
    };
  } catch {
    // The file is gone, or its name is not valid UTF-8 and cannot be looked up.
    return null;
  }
}

/**
 * Returns the time of a file's last change in ms since 1970, limited to what a Date can hold. Some file
 * systems store later years.
 */
function timeOf({ mtimeS, mtimeNs }: FileInfo): number {
  const ms = mtimeS * 1000 + Math.floor(mtimeNs / 1e6);
  return Math.max(-MAX_TIME_MS, Math.min(ms, MAX_TIME_MS));
}

function isNoFolder(error: unknown): boolean {
  return (
    error instanceof Error &&
    "code" in error &&
    (error.code === "ENOTDIR" || error.code === "ELOOP")
  );
}
