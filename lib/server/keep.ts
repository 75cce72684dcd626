import type { Completed, Download } from "./download.ts";

/* How long results are kept. Times are ms since 1970. */

/** A rule of retention. A result is kept while either field says so; null: that field says nothing. */
export interface Keep {
  /** Days after completion. */
  days: number | null;
  /** Number of newest completed downloads that are kept, for each client of a schedule or a job. */
  last: number | null;
}

export const DAY_MS = 86_400_000;

/** A completed download in the storage. */
export interface Stored {
  downloadId: string;
  /** null for a set without files. */
  savedPath: string | null;
}

/** The rows of retention. Each change is one conditional statement. */
export interface KeepRows {
  /**
   * Sets or lifts a hold: a held download is kept whatever the rules say.
   * @returns null where there is none
   */
  setHold(downloadId: string, isHeld: boolean): Promise<Download | null>;
  /**
   * Marks a download's content as removed, unless it is held, already removed or not complete.
   * @returns null where it was not marked
   */
  markRemoved(downloadId: string, now: number): Promise<Completed | null>;
  /** The same, only if it is due. @param keepMs how long results without a rule are kept; null: for ever */
  markDue(downloadId: string, now: number, keepMs: number | null): Promise<Completed | null>;
  /**
   * Marks content that somebody took out of the storage, even if it was held. No bytes are left to remove.
   */
  markMissing(downloadId: string, now: number): Promise<Completed | null>;
  /** Downloads that are marked and whose bytes may still exist, by id, after a given one. */
  removing(after: string, limit: number): Promise<Completed[]>;
  /** Records that the bytes of a marked download are gone. @returns false if that was recorded before */
  bytesGone(downloadId: string): Promise<boolean>;
  /**
   * Sets the removal of downloads that newer ones pushed out of the last ones that are kept.
   * @returns how many were looked at, at most `limit`
   */
  rank(limit: number): Promise<number>;
  /** Ids of downloads that no rule keeps any more. @param keepMs see {@link markDue} */
  due(now: number, keepMs: number | null, limit: number): Promise<string[]>;
  /** When the next download is due, or null. */
  nextDueAt(keepMs: number | null): Promise<number | null>;
  /** Stored bytes of one client, or of all. */
  usedBytes(clientId?: string): Promise<number>;
  /** Clients with stored content. */
  clientsStored(): Promise<string[]>;
  /** Stored content of a client up to a revision; by id, after a given one. */
  stored(clientId: string, revision: number, after: string, limit: number): Promise<Stored[]>;
}
