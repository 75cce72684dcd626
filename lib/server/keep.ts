import type { Completed, Download } from "./download.ts";

/* The rules of how long results are kept. Times are ms since 1970. */

/**
 * A rule of retention. A result is kept while `days` or `last` keeps it; a field that is null keeps nothing.
 */
export interface Keep {
  /** A result is kept for this many days after its completion. */
  days: number | null;
  /** How many of the newest completed downloads are kept, for each client of a schedule or a job. */
  last: number | null;
}

export const DAY_MS = 86_400_000;

/** A completed download whose content is stored. */
export interface Stored {
  downloadId: string;
  /** Path of the saved file or folder, relative to DOWNLOADS_DIR; null: a set without files. */
  savedPath: string | null;
}

/** The rows of retention. Each change is one conditional statement. */
export interface KeepRows {
  /**
   * Sets or removes a hold. While a download is held, no rule of retention removes it.
   * @returns the download; null: there is none with this id
   */
  setHold(downloadId: string, isHeld: boolean): Promise<Download | null>;
  /**
   * Marks a download's content as removed, unless it is held, already removed or not complete.
   * @returns the marked download; null: it was not marked
   */
  markRemoved(downloadId: string, now: number): Promise<Completed | null>;
  /**
   * Marks a download's content as removed, if no hold and no rule keeps it any more.
   * @param keepMs how long results without a rule are kept, in ms; null: for ever
   * @returns the marked download; null: it was not marked
   */
  markDue(downloadId: string, now: number, keepMs: number | null): Promise<Completed | null>;
  /**
   * Marks a download's content as removed because it is missing from the storage, even if the download is
   * held. No bytes are left to delete.
   * @returns the marked download; null: it was not marked
   */
  markMissing(downloadId: string, now: number): Promise<Completed | null>;
  /**
   * Lists downloads marked as removed whose bytes may still exist, in the order of their ids, starting after
   * `after`.
   */
  removing(after: string, limit: number): Promise<Completed[]>;
  /** Records that the bytes of a removed download are deleted. @returns false if that was recorded before */
  bytesGone(downloadId: string): Promise<boolean>;
  /**
   * Sets the time of removal of downloads that are no longer among the newest ones that their rule keeps.
   * @returns how many newly completed downloads were processed, at most `limit`
   */
  rank(limit: number): Promise<number>;
  /**
   * Ids of downloads that no rule keeps any more, at most `limit`.
   * @param keepMs how long results without a rule are kept, in ms; null: for ever
   */
  due(now: number, keepMs: number | null, limit: number): Promise<string[]>;
  /**
   * When the next download has to be removed, in ms since 1970; null: none has to.
   * @param keepMs how long results without a rule are kept, in ms; null: for ever
   */
  nextDueAt(keepMs: number | null): Promise<number | null>;
  /** The number of stored bytes of one client, or of all clients. */
  usedBytes(clientId?: string): Promise<number>;
  /** Ids of the clients that have stored content. */
  clientsStored(): Promise<string[]>;
  /**
   * Lists a client's stored downloads whose `revision` is at most the given one, in the order of their ids,
   * starting after `after`.
   */
  stored(clientId: string, revision: number, after: string, limit: number): Promise<Stored[]>;
}
