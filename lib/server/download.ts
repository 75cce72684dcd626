import type { ChecksumAlgorithm } from "../protocol/checksum.ts";
import type { Problem } from "../protocol/errors.ts";
import type { FileIdentity } from "../protocol/identity.ts";
import { fillDates, hasDates } from "../util/path-dates.ts";
import type { SetCounts, SetOrder } from "./set.ts";

/* What a download is: each state has only its legal fields. Times are ms since 1970. */

/** The file as the client found it when this download began to read it. */
export interface Source {
  /** null: a set. */
  identity: FileIdentity | null;
  /** Bytes to deliver: the file's size at that moment, or that of a set's files that are to come. */
  totalSize: number;
  /** Most bytes in a frame, as agreed between the two sides. */
  chunkSize: number;
}

/** What an operator asks for. */
export interface Order {
  clientId: string;
  /** Path of the file; of a set its patterns, joined for people to read. */
  filePath: string;
  /** What the set is made of; null: it is one file. */
  set: SetOrder | null;
  /** What proves that the file arrived whole. */
  checksum: ChecksumAlgorithm;
  /** Most bytes of the file a second; null: as many as the link carries. */
  rateLimit: number | null;
  /** The job that it belongs to; null: it was asked for by itself. */
  jobId: string | null;
  /** Local time at the client that its paths' dates stand for, `2026-11-30T02:30:00`; null: they have none. */
  localTime: string | null;
}

/** What a download has in every state. */
export interface Common extends Order {
  /** UUIDv7, so ids sort by the time of their making. */
  downloadId: string;
  createdAt: number;
  /** How often it was started on a client. */
  attempts: number;
  /** Number of the attempt; what belongs to an older one is dropped. */
  epoch: number;
  /** How often it started over from the first byte. */
  restarts: number;
  /** Failed tries in a row since bytes last became durable. */
  failures: number;
  /** Bytes that came for it over all attempts, those that came again too; compressed, where they were. */
  bytesOnWire: number;
  /** What became of the files of a set, as far as it is known; null: it is one file, or not listed. */
  files: SetCounts | null;
  /** What came is kept, whatever the rules of retention say. */
  isHeld: boolean;
  /**
   * The place of the row's last change among those of all downloads, 0 before it is recorded:
   * what compare-and-set compares, and where a reader of events goes on.
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
   * Not to be claimed before this time; one that lies further ahead than {@link LONGEST_WAIT_MS}
   * was set before the clock was put back, and has come.
   */
  notBefore: number;
  /** Why the last try ended, where it did not just lose its connection. */
  problem: Problem | null;
}

export interface Downloading extends Common {
  status: "downloading";
  startedAt: number;
  /** Null until the client has opened the file. */
  source: Source | null;
  durableOffset: number;
}

/** Every byte is flushed and the checksum matched; it is being published. */
export interface Verifying extends Common {
  status: "verifying";
  startedAt: number;
  source: Source;
  /** By the algorithm of `checksum`, lower-case hex. */
  digest: string;
  /** The name that publishing is about to take, relative to DOWNLOADS_DIR: recorded before it is taken. */
  savedPath: string;
}

export interface Completed extends Common {
  status: "completed";
  startedAt: number;
  completedAt: number;
  source: Source;
  /** By the algorithm of `checksum`, lower-case hex. */
  digest: string;
  /** null: a set of no files. */
  savedPath: string | null;
  /** Bytes that count to the quota of its client; what an earlier set shares with it does not. */
  storedBytes: number;
  /** When what came was removed, or found to be gone; its bytes may go a little later. */
  removedAt: number | null;
}

export interface Failed extends Common {
  status: "failed";
  startedAt: number | null;
  completedAt: number;
  source: Source | null;
  durableOffset: number;
  problem: Problem;
  /** The download that asked for its file again; null: its file is still owed. */
  retriedAs: string | null;
}

export interface Cancelled extends Common {
  status: "cancelled";
  startedAt: number | null;
  completedAt: number;
  source: Source | null;
  durableOffset: number;
  /** The download that asked for its file again. */
  retriedAs: string | null;
}

export type Active = Downloading | Verifying;
export type Ended = Completed | Failed | Cancelled;
export type Download = Queued | Active | Ended;

/** A download that was just asked for. */
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

/** What was asked for, to ask for it again. */
export function orderOf(order: Order): Order {
  const { clientId, filePath, set, checksum, rateLimit, jobId, localTime } = order;
  return { clientId, filePath, set, checksum, rateLimit, jobId, localTime };
}

/** Path of the file, with its dates filled in. */
export function resolvedPath({ filePath, localTime }: Order): string {
  return localTime === null ? filePath : fillDates(filePath, "path", localTime);
}

/** What a set is made of, with the dates of its patterns filled in. */
export function resolvedSet(set: SetOrder, localTime: string | null): SetOrder {
  if (localTime === null) return set;
  const fill = (patterns: string[]) =>
    patterns.map((text) => fillDates(text, "pattern", localTime));
  return { ...set, paths: fill(set.paths), exclude: fill(set.exclude) };
}

/** Whether the paths of an order have dates. */
export function isDated({ filePath, set }: Pick<Order, "filePath" | "set">): boolean {
  if (!set) return hasDates(filePath, "path");
  return [...set.paths, ...set.exclude].some((text) => hasDates(text, "pattern"));
}

/** What a download has in every state. */
export function common(download: Download): Common {
  const { downloadId, createdAt } = download;
  const { attempts, epoch, restarts, failures, bytesOnWire, files, isHeld, revision } = download;
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
    isHeld,
    revision,
  };
}
