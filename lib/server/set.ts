import type { Problem } from "../protocol/errors.ts";
import { literalNameOf } from "../protocol/patterns.ts";
import type { InTurn } from "../util/fair-turns.ts";

/*
 * A set: one download of many files from one client. These types say what an operator asks for, and what is
 * known of each file. Times are ms since 1970, unless stated otherwise.
 */

/** The files that an operator asks for, and how they are delivered. */
export interface SetOrder {
  /** Patterns of the files to send. */
  paths: string[];
  /** Patterns of files to leave out. */
  exclude: string[];
  /** Files that changed less than this many ms ago are left out, as they may still be written. */
  minAgeMs: number;
  /** Whether files that the server has stored unchanged are sent again or skipped. */
  unchanged: "send" | "skip";
  /** True: the set fails as soon as one file cannot be delivered. False: such files are skipped. */
  strict: boolean;
  /** Whether the set fails or completes when no file matches its patterns. */
  ifNone: "fail" | "complete";
  maxFiles: number;
  /** Maximum number of bytes of all files together; null: no limit. */
  maxBytes: number | null;
}

/**
 * Returns the base of a set's folder name: among the parts of its first pattern, the last one without a
 * wildcard, or `files` if every part has a wildcard.
 */
export function nameOfSet({ paths }: Pick<SetOrder, "paths">): string {
  return literalNameOf(paths[0] ?? "") ?? "files";
}

/** Maximum number of characters of a set's patterns in a log line. */
const MAX_PATTERNS_LENGTH = 500;

/**
 * Lists some patterns of a set for a log line.
 * @param indices of the patterns to list
 */
export function namePatterns({ paths }: Pick<SetOrder, "paths">, indices: number[]): string {
  const patterns = indices.map((index) => JSON.stringify(paths[index]));
  return patterns.join(", ").slice(0, MAX_PATTERNS_LENGTH);
}

/** The number of a set's files, in total and by what happened to them. */
export interface SetCounts {
  total: number;
  received: number;
  /** Files that the server had stored unchanged, so that they were not sent. */
  unchanged: number;
  skipped: number;
}

/** A file in a set's manifest, as the client listed it. */
export interface ListedFile {
  /** Number of the file in the manifest, from 0. */
  index: number;
  /** Path of the file relative to the client's root folder, separated by `/`. */
  path: string;
  /** Number of the client's root folder in which the file is. */
  root: number;
  size: number;
  /** Time of the last change, in ns since 1970, as decimal digits. */
  mtimeNs: string;
  /** Path that the file gets in the set's folder; null: it gets none, as it is skipped. */
  place: string | null;
  /** Why the file is not sent; null: it is sent. */
  error: Problem | null;
}

/** A file of a set and its progress. */
export interface SetFile extends ListedFile {
  status: "pending" | "received" | "unchanged" | "skipped";
  /** Checksum of the file by the download's algorithm, lower-case hex; null: not known. */
  digest: string | null;
  /** Bytes of a pending file that are flushed to the disk. */
  durableOffset: number;
}

/**
 * The fields of a file that stay in memory while its bytes are awaited. Thousands of files may be awaited at
 * once.
 */
export type WantedSetFile = Pick<
  SetFile,
  "index" | "path" | "root" | "size" | "place" | "durableOffset"
>;

/** The path of a received file in its set's folder, and its checksum. */
export interface SetSum {
  place: string;
  digest: string;
}

/** A change of the row of a set's file. */
export type SetFileChange = Pick<SetFile, "index"> &
  (
    | { status: "received"; size: number; mtimeNs: string; digest: string; readAt: number }
    | { status: "unchanged"; digest: string; readAt: number }
    | { status: "skipped"; error: Problem }
    | { status: "pending"; durableOffset: number }
  );

/** A stored file with the same content as a file that a client listed. */
export interface StoredTwin {
  /** Index of the listed file. */
  index: number;
  /** Path of the stored file, relative to DOWNLOADS_DIR. */
  savedPath: string;
  digest: string;
  /** When the client read the stored file, in ms since 1970. */
  readAt: number;
}

export interface SetFileFilter {
  status?: SetFile["status"];
  /** True: only files that are no longer pending. */
  known?: boolean;
  /** Only files whose number in the manifest is greater. */
  after?: number;
  limit: number;
}

/** The attempt that writes rows of a set. Changes by an attempt that is not the latest have no effect. */
export interface SetAttempt {
  downloadId: string;
  epoch: number;
}

/** The rows of the files of sets. They are written in batches. */
export interface SetRows {
  /** Adds files to a set's manifest. */
  insert(attempt: SetAttempt, clientId: string, files: ListedFile[]): Promise<void>;
  /** Removes a set's manifest. */
  clear(attempt: SetAttempt): Promise<void>;
  /**
   * Lists files in the manifest's order.
   * @param inTurn runs each query when the caller has its turn
   */
  list(downloadId: string, filter: SetFileFilter, inTurn?: InTurn): Promise<SetFile[]>;
  /** Yields the checksums of the stored files in the manifest's order, a batch at a time. */
  sums(downloadId: string): AsyncGenerator<SetSum[]>;
  /** Finds the first stored file of a set that has a path; null if there is none. */
  storedByPath(downloadId: string, path: string): Promise<SetFile | null>;
  update(attempt: SetAttempt, changes: SetFileChange[]): Promise<void>;
  counts(downloadId: string): Promise<SetCounts & { bytesListed: number; bytesReceived: number }>;
  /**
   * Sums up the bytes of a set that count to a quota.
   * @param shares whether unchanged files take no space of their own
   */
  storedBytes(downloadId: string, shares: boolean): Promise<number>;
  /**
   * Makes the files that a removed set shares with other sets count to the stored bytes of these sets: each
   * file to the oldest completed set that has it, or else to the oldest one under way. Doing this again
   * changes nothing.
   */
  handOver(downloadId: string): Promise<void>;
  /**
   * Counts the stored bytes of a set again after it completed, as shared files may count to it now: the set
   * to which they counted may have been removed meanwhile.
   */
  countAgain(downloadId: string): Promise<void>;
  /**
   * Finds stored files that equal listed ones: same client, path, size and modification time, in a completed
   * set with the same checksum algorithm. Only files that were read at least 2 s after their last change
   * count.
   * @returns at most one stored file for each listed one
   */
  twins(clientId: string, checksum: string, files: SetFile[]): Promise<StoredTwin[]>;
}
