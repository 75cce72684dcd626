import type { AuditAction } from "../../api/audit.ts";
import type { InTurn } from "../../util/fair-turns.ts";
import { SerialQueue } from "../../util/serial-queue.ts";
import type { Logger } from "../../util/logger.ts";
import { type AuditEntry, type AuditRow, STANDINGS } from "./entry.ts";
import { AuditRoom, type RoomRows } from "./room.ts";
import { AuditWindow } from "./window.ts";

/**
 * Delay after which a new row is written to the database, in ms, so that rows of the same moment are written
 * together.
 */
const WRITE_AFTER_MS = 50;
/** Time within which repetitions of an action are counted in one row, in ms. */
const WINDOW_MS = 600_000;
/**
 * Maximum number of rows that wait in memory while the database cannot be written. Beyond that, the least
 * important rows are dropped.
 */
const MAX_WAITING = 10_000;

export interface AuditFilter {
  action?: AuditAction;
  actor?: string;
  clientId?: string;
  downloadId?: string;
  outcome?: string;
  /** Only rows at or after this time, in ms since 1970. */
  since?: number;
  /** Only rows that are older than the row with this id. */
  before?: string;
  limit: number;
}

/** The rows of the audit. They are removed only if they are too old, or if their total size is too large. */
export interface AuditRows extends RoomRows {
  insertAudit(rows: AuditRow[]): Promise<void>;
  /**
   * Lists rows, newest first.
   * @param inTurn runs each piece of the search, taking turns with other callers
   */
  listAudit(filter: AuditFilter, inTurn?: InTurn): Promise<AuditRow[]>;
}

export interface AuditOptions {
  rows: AuditRows;
  /** How long rows are kept, in ms. */
  keep: number;
  /** Maximum number of bytes of all rows of the audit together. */
  maxSize: number;
  logger: Logger;
}

/**
 * Records who did what, and with which result. Rows are written after a short delay, repetitions are counted
 * in one row, and the total size is limited.
 */
export class Audit {
  #waiting: AuditRow[] = [];
  readonly #writing = new SerialQueue();
  #writeTimer: Timer | undefined;
  #window = new AuditWindow();
  readonly #windowTimer: Timer;
  readonly #room: AuditRoom;

  constructor(private readonly options: AuditOptions) {
    this.#windowTimer = setInterval(() => this.#closeWindow(), WINDOW_MS);
    this.#room = new AuditRoom(options);
  }

  record(entry: AuditEntry): void {
    const row = this.#window.record(entry, Date.now());
    if (row !== null) this.#add(row);
  }

  /** Lists rows, newest first. Rows that wait in memory are written to the database first. */
  async list(filter: AuditFilter, inTurn?: InTurn): Promise<AuditRow[]> {
    // A filter with `before` selects only rows that are older than those in memory, so these need not be
    // written first.
    if (filter.before === undefined) await this.#writeAll();
    return this.options.rows.listAudit(filter, inTurn);
  }

  /** Writes the rows that wait in memory, as the server stops. */
  async close(): Promise<void> {
    clearInterval(this.#windowTimer);
    await this.#writeAll();
    await this.#room.close();
  }

  #closeWindow(): void {
    for (const row of this.#window.take()) this.#add(row);
    this.#window = new AuditWindow();
  }

  #writeAll(): Promise<void> {
    for (const row of this.#window.take()) this.#add(row);
    return this.#write();
  }

  #add(row: AuditRow): void {
    this.#waiting.push(row);
    this.#writeTimer ??= setTimeout(() => void this.#write(), WRITE_AFTER_MS);
  }

  #write(): Promise<void> {
    clearTimeout(this.#writeTimer);
    this.#writeTimer = undefined;
    return this.#writing.run(() => this.#writeWaiting());
  }

  async #writeWaiting(): Promise<void> {
    const rows = this.#waiting.splice(0);
    if (rows.length === 0) return;
    try {
      await this.options.rows.insertAudit(rows);
      this.#room.countAdded(rows);
    } catch (error) {
      // The rows stay in memory and are written together with the next row.
      this.#waiting = mostImportant([...rows, ...this.#waiting], MAX_WAITING);
      this.options.logger.error("the audit cannot be written", { rows: rows.length }, error);
    }
  }
}

/**
 * Keeps the most important rows. The rows of the least important {@link Standing} are dropped first. Of the
 * same standing, the oldest rows are dropped first.
 * @param rows oldest first
 * @param maxRows number of rows to keep
 */
function mostImportant(rows: AuditRow[], maxRows: number): AuditRow[] {
  let excess = rows.length - maxRows;
  let kept = rows;
  for (const standing of STANDINGS.toReversed()) {
    kept = kept.filter((row) => row.standing !== standing || excess-- <= 0);
  }
  return kept;
}
