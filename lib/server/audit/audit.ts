import type { AuditAction } from "../../api/audit.ts";
import type { InTurn } from "../../util/fair-turns.ts";
import { SerialQueue } from "../../util/serial-queue.ts";
import type { Logger } from "../../util/logger.ts";
import { type AuditEntry, type AuditRow, STANDINGS } from "./entry.ts";
import { AuditRoom, type RoomRows } from "./room.ts";
import { AuditWindow } from "./window.ts";

/** Delay of a write, in ms, so that actions of the same moment are written together. */
const WRITE_AFTER_MS = 50;
/** Time, in ms, within which the same action is counted in one record. */
const WINDOW_MS = 600_000;
/**
 * Most rows that wait while the database cannot be written. Beyond that, the least important are dropped.
 */
const MAX_WAITING = 10_000;

export interface AuditFilter {
  action?: AuditAction;
  actor?: string;
  clientId?: string;
  downloadId?: string;
  outcome?: string;
  /** Only rows from this time on, ms since 1970. */
  since?: number;
  /** Only rows with a smaller id, which are older. */
  before?: string;
  limit: number;
}

/** The rows of the audit. They are only added, and removed by age and size. */
export interface AuditRows extends RoomRows {
  insertAudit(rows: AuditRow[]): Promise<void>;
  /** Newest first. The search runs in pieces, each in its turn. */
  listAudit(filter: AuditFilter, inTurn?: InTurn): Promise<AuditRow[]>;
}

export interface AuditOptions {
  rows: AuditRows;
  /** How long rows are kept, in ms. */
  keep: number;
  /** Most bytes of all rows together. */
  maxSize: number;
  logger: Logger;
}

/**
 * Records who did what, and how it ended. Rows are written with a short delay, repetitions are counted in
 * one row, and the total size is limited.
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

  /** Newest first. Rows that wait are written first. */
  async list(filter: AuditFilter, inTurn?: InTurn): Promise<AuditRow[]> {
    // With `before`, only older rows are asked for than those that wait.
    if (filter.before === undefined) await this.#writeAll();
    return this.options.rows.listAudit(filter, inTurn);
  }

  /** Writes the remaining rows. */
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
      this.#room.take(rows);
    } catch (error) {
      // They are written with the next row.
      this.#waiting = worthMost([...rows, ...this.#waiting], MAX_WAITING);
      this.options.logger.error("the audit cannot be written", { rows: rows.length }, error);
    }
  }
}

/** @param rows oldest first; within a standing, the oldest are dropped first */
function worthMost(rows: AuditRow[], most: number): AuditRow[] {
  let excess = rows.length - most;
  let kept = rows;
  for (const standing of STANDINGS.toReversed()) {
    kept = kept.filter((row) => row.standing !== standing || excess-- <= 0);
  }
  return kept;
}
