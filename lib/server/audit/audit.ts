import type { AuditAction } from "../../api/audit.ts";
import type { Logger } from "../../util/logger.ts";
import { steadyNow } from "../../util/steady-clock.ts";

/** What happened is written this soon, in ms: together with what happens at the same time. */
const WRITE_AFTER_MS = 50;
/** What happens again within this time, in ms, is counted, and written as one. */
const WINDOW_MS = 600_000;
/** Failures that are told apart in that time; what comes after them is counted together. */
const MAX_FAILURES = 100;
/** Rows that wait for a database that cannot be written; after them the oldest are lost. */
const MAX_WAITING = 10_000;
/** How often it is pruned, in ms. */
const PRUNE_EVERY_MS = 3_600_000;

/** What anybody can make happen as often as they like. */
const REPEATABLE: ReadonlySet<AuditAction> = new Set([
  "sign_in",
  "sign_out",
  "client_register",
  "content_fetch",
  "denied",
]);

/** Something that was done, or tried. No field of it is ever a secret. */
export interface AuditEntry {
  action: AuditAction;
  /** `ok`, or the code of the error. */
  outcome: string;
  /** Name of the token; null: nobody was let in, or it was not a caller of the API. */
  actor?: string | null;
  address?: string | null;
  /** The token or enrolment key it was about; of what was denied, the call. */
  target?: string | null;
  clientId?: string | null;
  downloadId?: string | null;
  filePath?: string | null;
}

/** As it is kept. Times are ms since 1970. */
export interface AuditRow extends Required<AuditEntry> {
  /** UUIDv7, so ids sort by the time of their making. */
  auditId: string;
  at: number;
  /** Of the last one, where it happened `count` times. */
  lastAt: number;
  count: number;
}

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

/** The rows: only ever added, and pruned by their age. */
export interface AuditRows {
  insertAudit(rows: AuditRow[]): Promise<void>;
  /** Newest first. */
  listAudit(filter: AuditFilter): Promise<AuditRow[]>;
  deleteAuditBefore(at: number): Promise<void>;
}

export interface AuditOptions {
  rows: AuditRows;
  /** How long rows are kept, in ms. */
  keep: number;
  logger: Logger;
}

/**
 * Who did what, and how it ended. What happens again and again is written once and then counted, and
 * so are failures of too many kinds: a flood of them does not fill the disk.
 */
export class Audit {
  #waiting: AuditRow[] = [];
  #writing: Promise<void> = Promise.resolve();
  #writeTimer: Timer | undefined;
  /** What happened in this window, and since it was last written; its count may be 0. */
  readonly #repeated = new Map<string, AuditRow>();
  #failures = 0;
  readonly #windowTimer: Timer;
  readonly #pruneTimer: Timer;

  constructor(private readonly options: AuditOptions) {
    this.#windowTimer = setInterval(() => this.#closeWindow(), WINDOW_MS);
    this.#pruneTimer = setInterval(() => this.#prune(), PRUNE_EVERY_MS);
    this.#prune();
  }

  record(entry: AuditEntry): void {
    const row = rowOf(entry, Date.now());
    if (!REPEATABLE.has(entry.action)) return this.#add(row);
    const isFailure = entry.outcome !== "ok";
    if (this.#countAgain(entry, row.at)) return;
    if (isFailure && this.#failures >= MAX_FAILURES) {
      const { action, outcome } = entry;
      const together = { action, outcome };
      if (!this.#countAgain(together, row.at)) this.#first(together, rowOf(together, row.at));
      return;
    }
    if (isFailure) this.#failures++;
    this.#first(entry, row);
  }

  /** Newest first, with all that happened up to now. */
  async list(filter: AuditFilter): Promise<AuditRow[]> {
    this.#writeRepeated();
    await this.#write();
    return this.options.rows.listAudit(filter);
  }

  /** Writes what is left. */
  async close(): Promise<void> {
    clearInterval(this.#windowTimer);
    clearInterval(this.#pruneTimer);
    this.#closeWindow();
    await this.#write();
  }

  #first(entry: AuditEntry, row: AuditRow): void {
    this.#add(row);
    this.#repeated.set(keyOf(entry), { ...row, count: 0 });
  }

  /** @returns false: it did not happen before in this window */
  #countAgain(entry: AuditEntry, at: number): boolean {
    const again = this.#repeated.get(keyOf(entry));
    if (!again) return false;
    if (again.count === 0) again.at = at;
    again.count++;
    again.lastAt = at;
    return true;
  }

  #closeWindow(): void {
    this.#writeRepeated();
    this.#repeated.clear();
    this.#failures = 0;
  }

  #writeRepeated(): void {
    for (const again of this.#repeated.values()) {
      if (again.count > 0) this.#add({ ...again, auditId: Bun.randomUUIDv7() });
      again.count = 0;
    }
  }

  #add(row: AuditRow): void {
    this.#waiting.push(row);
    this.#writeTimer ??= setTimeout(() => void this.#write(), WRITE_AFTER_MS);
  }

  #write(): Promise<void> {
    clearTimeout(this.#writeTimer);
    this.#writeTimer = undefined;
    this.#writing = this.#writing.then(() => this.#writeWaiting());
    return this.#writing;
  }

  async #writeWaiting(): Promise<void> {
    const rows = this.#waiting.splice(0);
    if (rows.length === 0) return;
    try {
      await this.options.rows.insertAudit(rows);
    } catch (error) {
      // They wait for the next one that is to be written.
      this.#waiting = [...rows, ...this.#waiting].slice(-MAX_WAITING);
      this.options.logger.error("the audit cannot be written", { rows: rows.length }, error);
    }
  }

  #prune(): void {
    const { rows, keep, logger } = this.options;
    rows
      .deleteAuditBefore(steadyNow() - keep)
      .catch((error: unknown) => logger.error("the audit cannot be pruned", {}, error));
  }
}

function rowOf(entry: AuditEntry, at: number): AuditRow {
  return {
    auditId: Bun.randomUUIDv7(),
    at,
    lastAt: at,
    count: 1,
    actor: entry.actor ?? null,
    address: entry.address ?? null,
    action: entry.action,
    target: entry.target ?? null,
    clientId: entry.clientId ?? null,
    downloadId: entry.downloadId ?? null,
    filePath: entry.filePath ?? null,
    outcome: entry.outcome,
  };
}

function keyOf(entry: AuditEntry): string {
  const { action, outcome, actor, address, target, clientId, downloadId, filePath } = entry;
  return JSON.stringify([action, outcome, actor, address, target, clientId, downloadId, filePath]);
}
