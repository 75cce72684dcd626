import type { ChecksumAlgorithm } from "../protocol/checksum.ts";
import type { Problem } from "../protocol/errors.ts";
import type { FileIdentity } from "../protocol/identity.ts";
import { fillDates, hasDates } from "../util/path-dates.ts";
import type { SetCounts, SetOrder } from "./set.ts";

/* What a download is: each state has only the fields that are valid in it. Times are ms since 1970. */

/** The file as the client found it when this download first read it. */
export interface Source {
  /** null for a set. */
  identity: FileIdentity | null;
  /** Bytes to deliver: the file's size at that time, or the total of a set's files that are to come. */
  totalSize: number;
  /** Most bytes in a frame, as agreed between the two sides. */
  chunkSize: number;
}

/** What an operator asks for, from one client. */
export interface Order {
  clientId: string;
  /** Path of the file; for a set, its patterns joined for people to read. */
  filePath: string;
  /** The files of a set; null: a single file. */
  set: SetOrder | null;
  /** Algorithm of the checksum that proves the delivery. */
  checksum: ChecksumAlgorithm;
  /** Highest rate in bytes a second; null: no limit. */
  rateLimit: number | null;
  /** The job that it belongs to; null: none. */
  jobId: string | null;
  /** Local time at the client for the dates in its paths, `2026-11-30T02:30:00`; null: no dates. */
  localTime: string | null;
}

/** The fields of every state. */
export interface Common extends Order {
  /** UUIDv7, so ids sort by creation time. */
  downloadId: string;
  createdAt: number;
  /** How many attempts were started. */
  attempts: number;
  /** Number of the attempt. Everything from an older attempt is ignored. */
  epoch: number;
  /** How often it started again at the first byte. */
  restarts: number;
  /** Failed tries in a row since bytes last became durable. */
  failures: number;
  /** Bytes received in all attempts, repeated ones included; compressed chunks count compressed. */
  bytesOnWire: number;
  /** Counts of a set's files, as far as they are known; null: a single file, or not listed yet. */
  files: SetCounts | null;
  /** Indices of the patterns of a set that no file matches; null: not known, or a single file. */
  unmatched: number[] | null;
  /** True: it is kept, whatever the rules of retention say. */
  isHeld: boolean;
  /**
   * Number of the row's last change among the changes of all downloads; 0 before it is recorded.
   * Compare-and-set compares it, and readers of events go on from it.
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
   * Earliest time of the next attempt. One further ahead than {@link LONGEST_WAIT_MS} was set before the
   * clock was put back, and counts as reached.
   */
  notBefore: number;
  /** Why the last try ended; null where only the connection was lost. */
  problem: Problem | null;
}

export interface Downloading extends Common {
  status: "downloading";
  startedAt: number;
  /** Null until the client has opened the file. */
  source: Source | null;
  durableOffset: number;
}

/** All bytes are flushed and the checksum matched; it is being published. */
export interface Verifying extends Common {
  status: "verifying";
  startedAt: number;
  source: Source;
  /** In lower-case hex, by the algorithm of `checksum`. */
  digest: string;
  /** The name that publishing will take, relative to DOWNLOADS_DIR. It is recorded before it is taken. */
  savedPath: string;
}

export interface Completed extends Common {
  status: "completed";
  startedAt: number;
  completedAt: number;
  source: Source;
  /** In lower-case hex, by the algorithm of `checksum`. */
  digest: string;
  /** null for a set without files. */
  savedPath: string | null;
  /** Bytes that count to the client's quota; those shared with an earlier set do not. */
  storedBytes: number;
  /** When the content was removed, or found missing; its bytes may be deleted a little later. */
  removedAt: number | null;
}

export interface Failed extends Common {
  status: "failed";
  startedAt: number | null;
  completedAt: number;
  source: Source | null;
  durableOffset: number;
  problem: Problem;
  /** The download that took its place; null: none did, so its file is still owed. */
  retriedAs: string | null;
}

export interface Cancelled extends Common {
  status: "cancelled";
  startedAt: number | null;
  completedAt: number;
  source: Source | null;
  durableOffset: number;
  /** The download that took its place. */
  retriedAs: string | null;
}

export type Active = Downloading | Verifying;
export type Ended = Completed | Failed | Cancelled;
export type Download = Queued | Active | Ended;

/** A new download, queued. */
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

/** Bytes that are flushed to the disk, in any state. */
export function durableOffsetOf(download: Download): number {
  return download.status === "verifying" || download.status === "completed"
    ? download.source.totalSize
    : download.durableOffset;
}

/** The order of a download, to ask for the same again. */
export function orderOf(order: Order): Order {
  const { clientId, filePath, set, checksum, rateLimit, jobId, localTime } = order;
  return { clientId, filePath, set, checksum, rateLimit, jobId, localTime };
}

/** The path of the file with its dates filled in. */
export function resolvedPath({ filePath, localTime }: Order): string {
  return localTime === null ? filePath : fillDates(filePath, "path", localTime);
}

/** A set's order with the dates of its patterns filled in. */
export function resolvedSet(set: SetOrder, localTime: string | null): SetOrder {
  if (localTime === null) return set;
  const fill = (patterns: string[]) =>
    patterns.map((text) => fillDates(text, "pattern", localTime));
  return { ...set, paths: fill(set.paths), exclude: fill(set.exclude) };
}

/** Whether the paths of an order contain dates. */
export function isDated({ filePath, set }: Pick<Order, "filePath" | "set">): boolean {
  if (!set) return hasDates(filePath, "path");
  return [...set.paths, ...set.exclude].some((text) => hasDates(text, "pattern"));
}

/** The fields that every state has. */
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
