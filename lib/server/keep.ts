import type { Completed, Download } from "./download.ts";

/* What is kept of what came, and how long. Times are ms since 1970. */

/** A rule of retention: what comes is kept while either says so. null: it says nothing. */
export interface Keep {
  /** Days since it was completed. */
  days: number | null;
  /** So many of the newest completed downloads of a client, of one schedule or one job. */
  last: number | null;
}

export const DAY_MS = 86_400_000;

/** A completed download as it lies in the storage. */
export interface Stored {
  downloadId: string;
  /** null: a set of no files */
  savedPath: string | null;
}

/** The rows that say what is kept. Each change is one conditional statement, as of all rows. */
export interface KeepRows {
  /** Keeps a download whatever the rules say, or no more. @returns null where there is none */
  setHold(downloadId: string, isHeld: boolean): Promise<Download | null>;
  /**
   * Marks what came as removed, unless it is held, is removed already or has not come.
   * @returns null where it was not marked
   */
  markRemoved(downloadId: string, now: number): Promise<Completed | null>;
  /** The same, if it is due too. @param keepMs how long what has no rule is kept; null: for ever */
  markDue(downloadId: string, now: number, keepMs: number | null): Promise<Completed | null>;
  /** Marks what somebody took out of the storage, held or not: no bytes of it are left to remove. */
  markMissing(downloadId: string, now: number): Promise<Completed | null>;
  /** Downloads that are marked, and whose bytes may still be there, by id, behind one. */
  removing(after: string, limit: number): Promise<Completed[]>;
  /** The bytes of a download that is marked are gone. @returns false if that was known */
  bytesGone(downloadId: string): Promise<boolean>;
  /**
   * Looks whether downloads pushed others out of the last ones, which are kept.
   * @returns how many were looked at; at most `limit`
   */
  rank(limit: number): Promise<number>;
  /** Ids of downloads that no rule keeps any more. @param keepMs as of {@link markDue} */
  due(now: number, keepMs: number | null, limit: number): Promise<string[]>;
  /** When the next one is due, or null. */
  nextDueAt(keepMs: number | null): Promise<number | null>;
  /** Bytes that are stored, of a client or of all. */
  usedBytes(clientId?: string): Promise<number>;
  /** Clients of which something is stored. */
  clientsStored(): Promise<string[]>;
  /** What is stored of a client, and was when the latest change was that one; by id, behind one. */
  stored(clientId: string, revision: number, after: string, limit: number): Promise<Stored[]>;
}
