import type { AuditAction } from "../../api/audit.ts";
import type { InTurn } from "../../util/fair-turns.ts";
import { SerialQueue } from "../../util/serial-queue.ts";
import type { Logger } from "../../util/logger.ts";
import { type AuditEntry, type AuditRow, STANDINGS } from "./entry.ts";
import { AuditRoom, type RoomRows } from "./room.ts";
import { AuditWindow } from "./window.ts";

/** Delay of a write, in ms: actions of the same moment are written together. */
const WRITE_AFTER_MS = 50;
/** Time, in ms, within which the same action is counted in one record. */
const WINDOW_MS = 600_000;
/** Most rows that wait while the database cannot be written. Beyond them, those worth least are lost. */
const MAX_WAITING = 10_000;

export interface AuditFilter {
  action?: AuditAction;
  actor?: string;
  clientId?: string;
  downloadId?: string;
  outcome?: string;
  /** Only what happened at that time or later. */
  since?: number;
  /** Only rows with a smaller id, that is older ones. */
  before?: string;
  limit: number;
}

/** The rows: only ever added, and removed by their age and size. */
export interface AuditRows extends RoomRows {
  insertAudit(rows: AuditRow[]): Promise<void>;
  /** Newest first. What passes the filter is looked for in pieces, each of which has its turn. */
  listAudit(filter: AuditFilter, inTurn?: InTurn): Promise<AuditRow[]>;
}

export interface AuditOptions {
  rows: AuditRows;
  /** How long rows are kept, in ms. */
  keep: number;
  /** Most bytes of all rows. */
  maxSize: number;
  logger: Logger;
}

/** Records who did what, and how it ended. Records are written soon, repeated ones are counted together, and their size is bounded. */
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

  /** The newest first. What happened just now is written before. */
  async list(filter: AuditFilter, inTurn?: InTurn): Promise<AuditRow[]> {
    // What comes behind a row is older than what is not written yet.
    if (filter.before === undefined) await this.#writeAll();
    return this.options.rows.listAudit(filter, inTurn);
  }

  /** Writes what is left. */
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
      // They wait for the next one that is to be written.
      this.#waiting = worthMost([...rows, ...this.#waiting], MAX_WAITING);
      this.options.logger.error("the audit cannot be written", { rows: rows.length }, error);
    }
  }
}

/** @param rows the oldest first, which of its standing goes first */
function worthMost(rows: AuditRow[], most: number): AuditRow[] {
  let excess = rows.length - most;
  let kept = rows;
  for (const standing of STANDINGS.toReversed()) {
    kept = kept.filter((row) => row.standing !== standing || excess-- <= 0);
  }
  return kept;
}
