import type { Problem } from "../protocol/errors.ts";
import { literalNameOf } from "../protocol/patterns.ts";
import type { InTurn } from "../util/fair-turns.ts";

/*
 * A set: one download of many files of one client. What an operator asks for, and what is known of
 * each file. Times are ms since 1970, where not said otherwise.
 */

/** Which files an operator asks for, and how. */
export interface SetOrder {
  /** Patterns of the files. */
  paths: string[];
  /** Patterns of files that are left out. */
  exclude: string[];
  /** Files that were changed more recently are left for later, in ms. */
  minAgeMs: number;
  /** Whether files of which the server has the same already are sent again. */
  unchanged: "send" | "skip";
  /** The first file that does not come fails the set. */
  strict: boolean;
  /** What becomes of a set where no file matches. */
  ifNone: "fail" | "complete";
  maxFiles: number;
  /** null: without a limit */
  maxBytes: number | null;
}

/** What a set's folder is named for: the last part of its first pattern that is no pattern, else `files`. */
export function nameOfSet({ paths }: Pick<SetOrder, "paths">): string {
  return literalNameOf(paths[0] ?? "") ?? "files";
}

/** How many files of a set there are, and what became of them. */
export interface SetCounts {
  total: number;
  received: number;
  /** Stored already, and not sent again. */
  unchanged: number;
  skipped: number;
}

/** A file of a set's manifest, as the client listed it. */
export interface ListedFile {
  /** Its number in the manifest, from 0. */
  index: number;
  /** Relative to its root, parted by `/`. */
  path: string;
  /** The number of its root. */
  root: number;
  size: number;
  /** ns since 1970, as decimal digits. */
  mtimeNs: string;
  /** Where it will lie in the set's folder; null: nowhere. */
  place: string | null;
  /** Why it will not come; null: it will. */
  error: Problem | null;
}

/** A file of a set, with what is known of it so far. */
export interface SetFile extends ListedFile {
  status: "pending" | "received" | "unchanged" | "skipped";
  /** Checksum of the file by the download's algorithm, lower-case hex; null: not known. */
  digest: string | null;
  /** Bytes of it that are flushed to the disk, while it is pending. */
  durableOffset: number;
}

/** A change of what is known of a file. */
export type SetFileChange = Pick<SetFile, "index"> &
  (
    | { status: "received"; size: number; mtimeNs: string; digest: string; readAt: number }
    | { status: "unchanged"; digest: string; readAt: number }
    | { status: "skipped"; error: Problem }
    | { status: "pending"; durableOffset: number }
  );

/** A published file that is the same as one that is listed. */
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
  /** True: all but those that are pending. */
  known?: boolean;
  /** Only files behind this number. */
  after?: number;
  limit: number;
}

/** An attempt at a set. What one writes that is not the latest any more changes nothing. */
export interface SetAttempt {
  downloadId: string;
  epoch: number;
}

/** The rows of sets' files. They are written in batches, never one by one. */
export interface SetRows {
  /** Adds files to a set's manifest. */
  insert(attempt: SetAttempt, clientId: string, files: ListedFile[]): Promise<void>;
  /** Forgets a set's manifest. */
  clear(attempt: SetAttempt): Promise<void>;
  /** In the order of the manifest. @param inTurn runs a piece of the work */
  list(downloadId: string, filter: SetFileFilter, inTurn?: InTurn): Promise<SetFile[]>;
  /** The first file of a path that is stored; null if there is none. */
  storedByPath(downloadId: string, path: string): Promise<SetFile | null>;
  update(attempt: SetAttempt, changes: SetFileChange[]): Promise<void>;
  counts(downloadId: string): Promise<SetCounts & { bytesListed: number; bytesReceived: number }>;
  /** Bytes of a set that count to a quota. @param shares whether unchanged files take no room */
  storedBytes(downloadId: string, shares: boolean): Promise<number>;
  /**
   * A set is removed: what others share of its files counts for the oldest of them from now on. May be
   * done again.
   */
  handOver(downloadId: string): Promise<void>;
  /**
   * Finds files that are stored already: of the same client, path, size and time, in a set that is
   * completed and made with the same checksum, and read at least 2 s after their last change.
   */
  twins(clientId: string, checksum: string, files: SetFile[]): Promise<StoredTwin[]>;
}
