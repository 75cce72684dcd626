import { digestOf } from "../../api/checksums.ts";
import type { DownloadRecord } from "../../api/schemas.ts";
import type { SetFileRecord } from "../../api/sets.ts";
import { systemCode } from "../../util/system-error.ts";
import { Failure } from "../program.ts";
import type { ApiClient } from "./api-client.ts";
import { ApiCallError, isTransient, UnreachableError } from "./api-errors.ts";
import { type LocalFile, saveArchive } from "./save-archive.ts";
import { isSaved, partOf, saveContent, type SaveOptions } from "./save-content.ts";
import { setFilePages } from "./set-file-list.ts";
import { SetFolders } from "./set-folders.ts";
import { SetSums } from "./set-sums.ts";
import { storedFileIn } from "./stored-file.ts";

/**
 * The number of files that are checked or fetched at the same time. Each file takes several calls to the
 * server and to the disk, so one file after the other would be slow.
 */
const MAX_CONCURRENT_FILES = 16;

/** The minimum number of missing files for which the archive of the whole set is fetched. */
const MIN_ARCHIVE_FILES = 50;

/** The maximum number of error messages that are kept for the report. */
const MAX_PROBLEMS = 10;

/** How many files and bytes of a set are saved on this machine. */
export interface SavedFiles {
  /** The number of files that were fetched and verified. */
  saved: number;
  /** The number of files that existed already with the right checksum. */
  present: number;
  /**
   * The number of bytes on this machine: those of saved and present files, and the fetched bytes of
   * unfinished files.
   */
  bytes: number;
  failed: number;
  /** Error messages of the first failed files, one sentence each. */
  problems: string[];
}

/**
 * Saves the files of a completed set in a folder of this machine, each verified by its own digest. If many
 * files are missing, they come from the set's archive, otherwise one by one. A correct existing file is not
 * fetched again. A different file is never overwritten, and counts as failed.
 * @param folder made if it does not exist
 * @throws Failure where the server's list of files does not match the set's record, or the server refuses to
 *   give the files
 * @throws the reason of `signal` when `signal` is aborted; saved files stay, and are not fetched again
 */
export async function saveSet(
  api: ApiClient,
  record: DownloadRecord,
  folder: string,
  options: SaveSetOptions,
): Promise<SavedFiles> {
  const progress: SavedFiles = { saved: 0, present: 0, bytes: 0, failed: 0, problems: [] };
  if (record.saved_path === null) return progress;
  const run: SaveRun = { api, record, folder, options, progress };
  const files = await findPresentFiles(run);
  await saveFromArchive(run, files);
  const unfinished = files.filter(({ state }) => state !== "done");
  await forEachConcurrently(unfinished.values(), options.signal, (file, signal) =>
    attempt(run, file, async () => {
      const { stored, path } = file;
      const onProgress = (bytes: number) => advance(run, file, bytes);
      const wasFetched = await saveContent(api, stored, path, { ...options, signal, onProgress });
      advance(run, file, stored.size);
      progress[wasFetched ? "saved" : "present"]++;
    }),
  );
  return progress;
}

export type SaveSetOptions = Omit<SaveOptions, "onProgress"> & {
  onProgress: (progress: SavedFiles) => void;
};

/** The arguments and the progress of one call of saveSet, passed to its helper functions. */
interface SaveRun {
  api: ApiClient;
  record: DownloadRecord;
  folder: string;
  options: SaveSetOptions;
  progress: SavedFiles;
}

/**
 * Checks which files of the set exist on this machine already.
 * @returns all files of the set that the server has, in the order of the manifest
 */
async function findPresentFiles(run: SaveRun): Promise<LocalFile[]> {
  const { api, record, folder, options, progress } = run;
  const folders = new SetFolders(folder);
  const files: LocalFile[] = [];
  const rows = async function* () {
    for await (const row of storedFiles(api, record, options)) {
      const stored = storedFileIn(record, row);
      if (!stored) continue;
      const file: LocalFile = {
        stored,
        pathInSet: "",
        path: "",
        state: "missing",
        countedBytes: 0,
      };
      files.push(file);
      yield { row, file };
    }
  };
  await forEachConcurrently(rows(), options.signal, ({ row, file }, signal) =>
    attempt(run, file, async () => {
      file.pathInSet = pathInSetOf(record, row);
      file.path = await folders.pathOf(file.pathInSet);
      if (await isSaved(file.path, file.stored, signal)) {
        file.state = "done";
        advance(run, file, file.stored.size);
        progress.present++;
      } else if (Bun.file(partOf(file.path, file.stored)).size > 0) file.state = "partial";
    }),
  );
  return files;
}

/**
 * Saves missing files from the set's archive, if at least MIN_ARCHIVE_FILES files are missing and they make
 * up at least half of the set's bytes. After an interruption, the archive is fetched again, as long as this
 * condition still holds and the last try has saved a file.
 */
async function saveFromArchive(run: SaveRun, files: LocalFile[]): Promise<void> {
  const { api, record, folder, options, progress } = run;
  for (let before = -1; isArchiveWorthIt(files) && progress.saved > before;) {
    before = progress.saved;
    try {
      await saveArchive(api, record, files, {
        folder,
        signal: options.signal,
        onBytes: (file, bytes) => advance(run, file, bytes),
        onSaved: (file) => {
          file.state = "done";
          progress.saved++;
          options.onProgress(progress);
        },
        onProblem: (file, error) => noteProblem(progress, file, error),
      });
      return;
    } catch (error) {
      // A transient error is not reported here. If it persists, it comes up again when the remaining files
      // are fetched one by one.
      if (!isTransient(error)) throw error;
    }
  }
}

function isArchiveWorthIt(files: LocalFile[]): boolean {
  const missing = files.filter(({ state }) => state === "missing");
  const bytesOf = (subset: LocalFile[]) => subset.reduce((sum, { stored }) => sum + stored.size, 0);
  return missing.length >= MIN_ARCHIVE_FILES && 2 * bytesOf(missing) >= bytesOf(files);
}

/** Runs work on one file. An error that concerns only this file is recorded, and other files continue. */
async function attempt(
  { progress }: SaveRun,
  file: LocalFile,
  work: () => Promise<void>,
): Promise<void> {
  await work().catch((error: unknown) => noteProblem(progress, file, error));
}

function advance({ progress, options }: SaveRun, file: LocalFile, bytes: number): void {
  progress.bytes += bytes - file.countedBytes;
  file.countedBytes = bytes;
  options.onProgress(progress);
}

/**
 * Processes items, up to MAX_CONCURRENT_FILES of them at the same time. An error aborts the work on the other
 * items. The function returns or throws only once no work is running any more.
 */
async function forEachConcurrently<T>(
  items: AsyncIterator<T> | Iterator<T>,
  signal: AbortSignal,
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const combinedSignal = AbortSignal.any([signal, stop.signal]);
  const worker = async () => {
    try {
      for (let next = await items.next(); !next.done; next = await items.next()) {
        await work(next.value, combinedSignal);
      }
    } catch (error) {
      stop.abort(error);
      throw error;
    }
  };
  const workers = Array.from({ length: MAX_CONCURRENT_FILES }, worker);
  await Promise.allSettled(workers);
  await Promise.all(workers);
}

/**
 * Yields the files of a set that the server has, in the order of the manifest.
 * @throws Failure at the end, if the list does not match the digest in the set's record
 */
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

/** Returns the path of a file within its set. @throws Failure for a file stored outside the set's folder */
function pathInSetOf({ saved_path }: DownloadRecord, file: SetFileRecord): string {
  const folder = `${saved_path}/`;
  if (file.saved_path?.startsWith(folder)) return file.saved_path.slice(folder.length);
  throw new Failure(`look at the server: it has no place for "${file.path}" in the set`);
}

/** System error codes that concern one file, while other files can still be saved. */
const SINGLE_FILE_CODES = new Set([
  "EACCES",
  "EPERM",
  "EISDIR",
  "ENOTDIR",
  "ENAMETOOLONG",
  "EILSEQ",
]);

/**
 * Records an error for the report, if it concerns only one file.
 * @throws the error itself, if it concerns all files
 */
function noteProblem(progress: SavedFiles, file: LocalFile, error: unknown): void {
  if (!(error instanceof Error) || !concernsOneFile(error)) throw error;
  file.state = "done";
  progress.failed++;
  if (progress.problems.length < MAX_PROBLEMS) progress.problems.push(error.message);
}

function concernsOneFile(error: Error): boolean {
  if (error instanceof ApiCallError) return error.code === "not_found";
  if (error instanceof UnreachableError) return false;
  return error instanceof Failure || SINGLE_FILE_CODES.has(systemCode(error) ?? "");
}
