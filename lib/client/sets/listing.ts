import { join, sep } from "node:path";
import { FdsError } from "../../protocol/errors.ts";
import { eventLoopBudget } from "../../util/event-loop-budget.ts";
import type { FileInfo } from "../../util/files-at.ts";
import type { FolderName } from "../../util/folder-names.ts";
import { explain, Refusal } from "../owner-rules/refusal.ts";
import type { PathCheck } from "../owner-rules/path-check.ts";
import { contains } from "../owner-rules/paths.ts";
import { compareNames, type EntryType, OpenFolder, typeOf } from "./open-folder.ts";

/** Most names that are read of a folder; further ones are left out. */
const MAX_NAMES = 100_000;
/** The latest time of a date, and with a minus the earliest, in ms since 1970 (ECMAScript). */
const MAX_TIME_MS = 8.64e15;
/** Names looked at in one go, which holds the event loop for less than a millisecond. */
const BATCH = 64;

/** A name in a folder. */
export interface Entry {
  name: string;
  type: "file" | "folder";
  /** Bytes; null for a folder. */
  size: number | null;
  /** ms since 1970. */
  mtimeMs: number;
}

/** A page of a folder's names, ordered by their bytes. */
export interface Page {
  entries: Entry[];
  /** True: more names follow. */
  more: boolean;
  /** True: the folder has more names than were read. */
  truncated: boolean;
}

export interface ListOptions {
  pathCheck: PathCheck;
  /** As an operator asked for it; undefined: the roots. */
  path: string | undefined;
  /** The last name of the previous page. */
  after: string | undefined;
  limit: number;
}

/**
 * Reads a page of a folder's names, within the owner's rules.
 * @throws FdsError `access_denied` for paths outside or denied, whether they exist or not;
 *   `file_not_found`; `not_a_folder`
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
    // A file that may not leave is treated as missing.
    if (!pathCheck.permits(real)) throw explain(new Refusal("missing"), path);
    throw new FdsError("not_a_folder", `"${path}" is not a folder`, { cause: error });
  }
}

function listRoots({ pathCheck, after, limit }: ListOptions): Page {
  const places = pathCheck.roots
    .toSorted((a, b) => compareNames(a.given, b.given))
    .filter(({ given }, at, sorted) => given !== sorted[at - 1]?.given);
  const behind = places.filter(
    ({ given }) => after === undefined || compareNames(given, after) > 0,
  );
  const entries = behind.slice(0, limit).flatMap(({ given, real }): Entry[] => {
    try {
      using folder = OpenFolder.open(real, pathCheck.hasProc);
      const mtimeMs = timeOf(folder.stat("."));
      return [{ name: given, type: "folder", size: null, mtimeMs }];
    } catch (error) {
      // It is gone or unreadable by now; the error says which.
      explain(error, given);
      return [];
    }
  });
  return { entries, more: behind.length > limit, truncated: false };
}

/** Opens a folder step by step, from its root on. */
function openWithin(pathCheck: PathCheck, real: string): OpenFolder {
  const root = pathCheck.roots.find((place) => contains(place.real, real))?.real ?? real;
  const names = real
    .slice(root.length)
    .split(sep)
    .filter((name) => name !== "");
  let folder = OpenFolder.open(root, pathCheck.hasProc);
  for (const name of names) {
    using parent = folder;
    folder = parent.folder(name);
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
    // Two names that are not UTF-8 can look the same.
    .filter(({ name }, at, sorted) => name !== sorted[at - 1]?.name);
  const page: Page = { entries: [], more: false, truncated: all.length > MAX_NAMES };
  for (let at = 0; at < names.length && !page.more; at += BATCH) {
    const batch = names.slice(at, at + BATCH);
    await eventLoopBudget.run(() => {
      for (const entry of batch) {
        const seen = look(entry.name, () => typeOf(entry, folder), folder, pathCheck, real);
        if (!seen) continue;
        if (page.entries.length < limit) page.entries.push(seen);
        else page.more = true;
      }
    });
  }
  return page;
}

/** The names to consider: one more than can be listed, to know whether there are more. */
async function firstNames(folder: OpenFolder): Promise<FolderName[]> {
  const all: FolderName[] = [];
  for await (const names of folder.names()) {
    all.push(...names);
    if (all.length > MAX_NAMES) break;
  }
  return all;
}

/** @returns null for a name that is not listed, or whose file is gone */
function look(
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
    // It is gone, or its name is not UTF-8 and cannot be asked for.
    return null;
  }
}

/** ms since 1970, within the range of a date; some file systems store later years. */
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
