import type { Problem } from "../protocol/errors.ts";
import { literalNameOf } from "../protocol/patterns.ts";
import type { InTurn } from "../util/fair-turns.ts";

/*
 * A set: one download of many files from one client. What an operator asks for, and what is known of each
 * file. Times are ms since 1970, unless stated otherwise.
 */

/** Which files an operator asks for, and how. */
export interface SetOrder {
  /** Patterns of the files. */
  paths: string[];
  /** Patterns of files to leave out. */
  exclude: string[];
  /** Files changed within this time, in ms, are left for a later set. */
  minAgeMs: number;
  /** Whether files that the server already has unchanged are sent again. */
  unchanged: "send" | "skip";
  /** True: the set fails at the first file that does not come. */
  strict: boolean;
  /** What happens if no file matches. */
  ifNone: "fail" | "complete";
  maxFiles: number;
  /** null: no limit. */
  maxBytes: number | null;
}

/** The base of a set's folder name: the last part without a wildcard of its first pattern, or `files`. */
export function nameOfSet({ paths }: Pick<SetOrder, "paths">): string {
  return literalNameOf(paths[0] ?? "") ?? "files";
}

/** Most characters of patterns in a line of the log. */
const MAX_NAMED = 500;

/** Patterns of a set for the log. @param indices of these patterns */
export function namePatterns({ paths }: Pick<SetOrder, "paths">, indices: number[]): string {
  const patterns = indices.map((index) => JSON.stringify(paths[index]));
  return patterns.join(", ").slice(0, MAX_NAMED);
}

/** Number of a set's files, by what happened to them. */
export interface SetCounts {
  total: number;
  received: number;
  /** Already stored, and not sent again. */
  unchanged: number;
  skipped: number;
}

/** A file in a set's manifest, as the client listed it. */
export interface ListedFile {
  /** Its number in the manifest, from 0. */
  index: number;
  /** Relative to its root, separated by `/`. */
  path: string;
  /** The number of its root. */
  root: number;
  size: number;
  /** ns since 1970, as decimal digits. */
  mtimeNs: string;
  /** Where it will be in the set's folder; null: nowhere. */
  place: string | null;
  /** Why it does not come; null: it does. */
  error: Problem | null;
}

/** A file of a set, and its progress. */
export interface SetFile extends ListedFile {
  status: "pending" | "received" | "unchanged" | "skipped";
  /** Checksum of the file by the download's algorithm, lower-case hex; null: not known. */
  digest: string | null;
  /** Bytes that are flushed to the disk, while the file is pending. */
  durableOffset: number;
}

/** What is kept of a file from the request for it until its answer, for thousands of files at a time. */
export type WantedSetFile = Pick<
  SetFile,
  "index" | "path" | "root" | "size" | "place" | "durableOffset"
>;

/** Where a file of a set is in its folder, and its checksum. */
export interface SetSum {
  place: string;
  digest: string;
}

/** A change of a file's row. */
export type SetFileChange = Pick<SetFile, "index"> &
  (
    | { status: "received"; size: number; mtimeNs: string; digest: string; readAt: number }
    | { status: "unchanged"; digest: string; readAt: number }
    | { status: "skipped"; error: Problem }
    | { status: "pending"; durableOffset: number }
  );

/** A published file that equals a listed one. */
export interface StoredTwin {
  /** Index of the listed file. */
  index: number;
  /** Relative to DOWNLOADS_DIR. */
  savedPath: string;
  digest: string;
  /** When the client read it. */
  readAt: number;
}

export interface SetFileFilter {
  status?: SetFile["status"];
  /** True: all but pending files. */
  known?: boolean;
  /** Only files after this number. */
  after?: number;
  limit: number;
}

/** The attempt at a set that writes. Changes by an attempt that is not the latest have no effect. */
export interface SetAttempt {
  downloadId: string;
  epoch: number;
}

/** The rows of sets' files, written in batches. */
export interface SetRows {
  /** Adds files to a set's manifest. */
  insert(attempt: SetAttempt, clientId: string, files: ListedFile[]): Promise<void>;
  /** Removes a set's manifest. */
  clear(attempt: SetAttempt): Promise<void>;
  /** In the manifest's order. @param inTurn runs a piece of the work */
  list(downloadId: string, filter: SetFileFilter, inTurn?: InTurn): Promise<SetFile[]>;
  /** The files that are here, in the manifest's order, some at a time. */
  sums(downloadId: string): AsyncGenerator<SetSum[]>;
  /** The first file with a path that is stored; null if there is none. */
  storedByPath(downloadId: string, path: string): Promise<SetFile | null>;
  update(attempt: SetAttempt, changes: SetFileChange[]): Promise<void>;
  counts(downloadId: string): Promise<SetCounts & { bytesListed: number; bytesReceived: number }>;
  /** Bytes of a set that count to a quota. @param shares whether unchanged files take no space */
  storedBytes(downloadId: string, shares: boolean): Promise<number>;
  /**
   * Called when a set is removed: files that it shares with others count for the oldest of those from now on.
   * It may be called again.
   */
  handOver(downloadId: string): Promise<void>;
  /**
   * Counts the bytes of a set that shares some, once its row says that it is complete: while it was published,
   * some may have been handed over to it.
   */
  countAgain(downloadId: string): Promise<void>;
  /**
   * Finds files that are stored already: same client, path, size and time, in a completed set with the same
   * checksum algorithm, and read at least 2 s after their last change.
   */
  twins(clientId: string, checksum: string, files: SetFile[]): Promise<StoredTwin[]>;
}
