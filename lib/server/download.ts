import type { ChecksumAlgorithm } from "../protocol/checksum.ts";
import type { Problem } from "../protocol/errors.ts";
import type { FileIdentity } from "../protocol/identity.ts";
import { fillDates, hasDates } from "../util/path-dates.ts";
import type { SetCounts, SetOrder } from "./set.ts";

/*
 * A download. The type of each state has only the fields that are valid in that state. Times are ms since
 * 1970.
 */

/** The client's file as it was when the download first opened it. */
export interface Source {
  /** Fields of the file, such as size and times, by which a change of the file is noticed; null for a set. */
  identity: FileIdentity | null;
  /**
   * Bytes to deliver: the size of the file when it was opened, or the total size of the files of a set that
   * are sent.
   */
  totalSize: number;
  /** Maximum number of bytes in a frame, as agreed between server and client. */
  chunkSize: number;
}

/** A request of an operator for a file or a set of one client. */
export interface Order {
  clientId: string;
  /** Path of the file. For a set: its patterns joined into a text for people. */
  filePath: string;
  /** Which files to send, for a set; null: a single file. */
  set: SetOrder | null;
  /** Algorithm of the checksum that proves the delivery. */
  checksum: ChecksumAlgorithm;
  /** Highest rate in bytes a second; null: no limit. */
  rateLimit: number | null;
  /** Id of the job that the download belongs to; null: none. */
  jobId: string | null;
  /**
   * Local time at the client, `2026-11-30T02:30:00`, which replaces placeholders such as `{date}` in the
   * paths; null: the paths have no placeholders.
   */
  localTime: string | null;
}

/** The fields that a download has in every state. */
export interface Common extends Order {
  /** UUIDv7, so ids sort by creation time. */
  downloadId: string;
  createdAt: number;
  /** The number of attempts that were started. */
  attempts: number;
  /** Number of the latest attempt. Events of older attempts are ignored. */
  epoch: number;
  /** How often the download started again from the first byte. */
  restarts: number;
  /** Failed attempts in a row since bytes last became durable. */
  failures: number;
  /**
   * Bytes received in all attempts. Bytes that were sent twice count twice, compressed bytes by their
   * compressed size.
   */
  bytesOnWire: number;
  /** Counts of a set's files, as far as they are known; null: a single file, or a set not listed yet. */
  files: SetCounts | null;
  /** Indices of a set's patterns that no file matches; null: not known, or a single file. */
  unmatched: number[] | null;
  /** True: no rule of retention removes the download. */
  isHeld: boolean;
  /**
   * Number of the row's last change, counted over the rows of all downloads; 0: not recorded yet.
   * Compare-and-set checks it, and an event stream that reconnects continues from it.
   */
  revision: number;
}

export interface Queued extends Common {
  status: "queued";
  startedAt: number | null;
  source: Source | null;
  /** Bytes from the start of the file that are flushed to the disk. */
  durableOffset: number;
  /**
   * Earliest time of the next attempt, in ms since 1970. A time that is more than {@link LONGEST_WAIT_MS}
   * ahead counts as reached, as it means that the clock was set back.
   */
  notBefore: number;
  /** Why the last attempt ended; null: there was none, or only the connection was lost. */
  problem: Problem | null;
}

export interface Downloading extends Common {
  status: "downloading";
  startedAt: number;
  /** The client's file; null until the client has opened it. */
  source: Source | null;
  durableOffset: number;
}

/** The state while the content is published: all bytes are flushed and the checksum matched. */
export interface Verifying extends Common {
  status: "verifying";
  startedAt: number;
  source: Source;
  /** Checksum of the content in lower-case hex, by the algorithm of `checksum`. */
  digest: string;
  /**
   * The name that the content gets, relative to DOWNLOADS_DIR. The row records the name before the content
   * gets it.
   */
  savedPath: string;
}

export interface Completed extends Common {
  status: "completed";
  startedAt: number;
  completedAt: number;
  source: Source;
  /** Checksum of the content in lower-case hex, by the algorithm of `checksum`. */
  digest: string;
  /** Path of the saved file or folder, relative to DOWNLOADS_DIR; null: a set without files. */
  savedPath: string | null;
  /** Bytes that count to the client's quota. Files shared with an earlier set do not count. */
  storedBytes: number;
  /**
   * When the content was removed or found missing, in ms since 1970; null: it is stored. The bytes may be
   * deleted a little later.
   */
  removedAt: number | null;
}

export interface Failed extends Common {
  status: "failed";
  startedAt: number | null;
  completedAt: number;
  source: Source | null;
  durableOffset: number;
  problem: Problem;
  /** Id of the newer download that replaced this one; null: this failed download was not retried. */
  retriedAs: string | null;
}

export interface Cancelled extends Common {
  status: "cancelled";
  startedAt: number | null;
  completedAt: number;
  source: Source | null;
  durableOffset: number;
  /** Id of the newer download that replaced this one; null: this cancelled download was not retried. */
  retriedAs: string | null;
}

export type Active = Downloading | Verifying;
export type Ended = Completed | Failed | Cancelled;
export type Download = Queued | Active | Ended;

/** Makes a queued download from an order. @param now ms since 1970 */
export function newDownload(downloadId: string, order: Order, now: number): Queued {
  return {
    ...order,
    status: "queued",
    downloadId,
    createdAt: now,
    attempts: 0,
    epoch: 0,
    restarts: 0,
    failures: 0,
    bytesOnWire: 0,
    files: null,
    unmatched: null,
    isHeld: false,
    revision: 0,
    startedAt: null,
    source: null,
    durableOffset: 0,
    notBefore: now,
    problem: null,
  };
}

export function hasEnded(download: Download): download is Ended {
  return (
    download.status === "completed" ||
    download.status === "failed" ||
    download.status === "cancelled"
  );
}

/** The number of bytes of a download that are flushed to the disk. */
export function durableOffsetOf(download: Download): number {
  return download.status === "verifying" || download.status === "completed"
    ? download.source.totalSize
    : download.durableOffset;
}

/** Copies the order out of a download, so that the same files can be requested again. */
export function orderOf(order: Order): Order {
  const { clientId, filePath, set, checksum, rateLimit, jobId, localTime } = order;
  return { clientId, filePath, set, checksum, rateLimit, jobId, localTime };
}

/** The path of an order's file, with dates such as `{date}` filled in. */
export function resolvedPath({ filePath, localTime }: Order): string {
  return localTime === null ? filePath : fillDates(filePath, "path", localTime);
}

/** A copy of a set's order with the dates in its patterns filled in. */
export function resolvedSet(set: SetOrder, localTime: string | null): SetOrder {
  if (localTime === null) return set;
  const fill = (patterns: string[]) =>
    patterns.map((text) => fillDates(text, "pattern", localTime));
  return { ...set, paths: fill(set.paths), exclude: fill(set.exclude) };
}

/** Reports whether the paths of an order contain dates to fill in. */
export function isDated({ filePath, set }: Pick<Order, "filePath" | "set">): boolean {
  if (!set) return hasDates(filePath, "path");
  return [...set.paths, ...set.exclude].some((text) => hasDates(text, "pattern"));
}

/** Copies the fields that a download has in every state. */
export function common(download: Download): Common {
  const { downloadId, createdAt } = download;
  const { attempts, epoch, restarts, failures, bytesOnWire, revision } = download;
  const { files, unmatched, isHeld } = download;
  return {
    ...orderOf(download),
    downloadId,
    createdAt,
    attempts,
    epoch,
    restarts,
    failures,
    bytesOnWire,
    files,
    unmatched,
    isHeld,
    revision,
  };
}
