import { digestOf } from "../../api/checksums.ts";
import type { DownloadRecord } from "../../api/schemas.ts";
import type { SetFileRecord } from "../../api/sets.ts";
import { systemCode } from "../../util/system-error.ts";
import { Failure } from "../program.ts";
import type { ApiClient } from "./api-client.ts";
import { ApiCallError, UnreachableError } from "./api-errors.ts";
import { saveContent, type SaveOptions } from "./save-content.ts";
import { setFilePages } from "./set-file-list.ts";
import { SetFolders } from "./set-folders.ts";
import { SetSums } from "./set-sums.ts";
import { storedFileIn } from "./stored-file.ts";

/** Files on their way at once: each takes some answers of the server and of the disk. */
const AT_ONCE = 16;

/** Most problems that are kept to be told. */
const MAX_PROBLEMS = 10;

/** How far the saving of a set is. */
export interface SavedFiles {
  /** Fetched, and verified. */
  saved: number;
  /** There before, and right. */
  present: number;
  /** Bytes of these files, and of the file under way. */
  bytes: number;
  failed: number;
  /** Why the first ones failed, a sentence for each. */
  problems: string[];
}

/**
 * Saves the files of a completed set in a folder of this machine, file by file, each verified by its
 * own digest. A file that is there and right is not fetched again; another one is never overwritten,
 * and counts as failed.
 * @param folder made where it is not there
 * @throws Failure where the list of files is not that of the set, or the server refuses to give them
 * @throws the reason of the signal when it is aborted; what was saved stays, and is not fetched again
 */
export async function saveSet(
  api: ApiClient,
  record: DownloadRecord,
  folder: string,
  {
    onProgress,
    ...options
  }: Omit<SaveOptions, "onProgress"> & { onProgress: (so: SavedFiles) => void },
): Promise<SavedFiles> {
  const so: SavedFiles = { saved: 0, present: 0, bytes: 0, failed: 0, problems: [] };
  if (record.saved_path === null) return so;
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const folders = new SetFolders(folder);
  const files = storedFiles(api, record, { ...options, signal });
  const save = async (file: SetFileRecord) => {
    const stored = storedFileIn(record, file);
    if (!stored) return;
    let done = 0;
    const advance = (bytes: number) => {
      so.bytes += bytes - done;
      done = bytes;
      onProgress(so);
    };
    const path = await folders.pathOf(placeOf(record, file));
    const isFresh = await saveContent(api, stored, path, {
      ...options,
      signal,
      onProgress: advance,
    });
    so[isFresh ? "saved" : "present"]++;
    advance(stored.size);
  };
  const work = async () => {
    try {
      for (let next = await files.next(); !next.done; next = await files.next()) {
        await save(next.value).catch((error: unknown) => noteProblem(so, error));
      }
    } catch (error) {
      stop.abort(error);
      throw error;
    }
  };
  const workers = Array.from({ length: AT_ONCE }, work);
  // None writes any more once this has ended.
  await Promise.allSettled(workers);
  await Promise.all(workers);
  return so;
}

/** The files that the server has, in their order. @throws Failure at the end, if the list is not the set's */
async function* storedFiles(
  api: ApiClient,
  record: DownloadRecord,
  options: Pick<SaveOptions, "signal" | "patience">,
): AsyncGenerator<SetFileRecord, void> {
  const sums = new SetSums(record.checksum);
  for await (const page of setFilePages(api, record.download_id, options)) {
    for (const file of page) {
      sums.add(file);
      if (file.status !== "skipped") yield file;
    }
  }
  if (sums.digest() === digestOf(record)) return;
  throw new Failure(
    "look at the server: the files that it lists are not those that the set was published with",
  );
}

/** Where a file lies in its set. @throws Failure */
function placeOf({ saved_path }: DownloadRecord, file: SetFileRecord): string {
  const folder = `${saved_path}/`;
  if (file.saved_path?.startsWith(folder)) return file.saved_path.slice(folder.length);
  throw new Failure(`look at the server: it has no place for "${file.path}" in the set`);
}

/** How this machine says that one file cannot be saved, while others can. */
const OF_ONE_FILE = new Set(["EACCES", "EPERM", "EISDIR", "ENOTDIR", "ENAMETOOLONG", "EILSEQ"]);

/** Notes an error of one file, to be told at the end. @throws an error that concerns all files */
function noteProblem(so: SavedFiles, error: unknown): void {
  if (!(error instanceof Error) || !isOfOneFile(error)) throw error;
  so.failed++;
  if (so.problems.length < MAX_PROBLEMS) so.problems.push(error.message);
}

function isOfOneFile(error: Error): boolean {
  if (error instanceof ApiCallError) return error.code === "not_found";
  if (error instanceof UnreachableError) return false;
  return error instanceof Failure || OF_ONE_FILE.has(systemCode(error) ?? "");
}
