import type { Logger } from "../../util/logger.ts";
import { eventLoopBudget } from "../../util/event-loop-budget.ts";
import { steadyNow } from "../../util/steady-clock.ts";
import { type AuditRow, type Standing, STANDINGS } from "./entry.ts";

/**
 * Shares of the audit's maximum size that the rows of each {@link Standing} may use: changes, other actions
 * of callers with access, and attempts of anybody else. Rows of one standing never push out rows of another.
 */
const SHARES: Record<Standing, number> = { act: 1 / 2, known: 1 / 4, stranger: 1 / 4 };

/** Time between two removals of audit rows that are too old, in ms. */
const PRUNE_EVERY_MS = 3_600_000;

type Removed = Pick<AuditRow, "standing" | "bytes">;

export interface RoomRows {
  /** Returns the number of bytes of all rows of each {@link Standing}. */
  auditSizes(): Promise<Record<Standing, number>>;
  /**
   * Removes a batch of rows.
   * @param which `standing`: only rows of this importance, oldest first; `before`: only rows whose last
   *   repetition was before this time, in ms since 1970, in any order
   * @returns the removed rows; an empty list: no such row is left
   */
  removeAudit(which: { standing: Standing } | { before: number }): Promise<Removed[]>;
}

export interface RoomOptions {
  rows: RoomRows;
  /** How long rows are kept, in ms. */
  keep: number;
  /** Maximum number of bytes of all rows of the audit together. */
  maxSize: number;
  logger: Logger;
}

/**
 * Keeps the audit within its limits by removing rows that are too old, and the oldest rows if there are too
 * many bytes.
 */
export class AuditRoom {
  /** Bytes of the rows of each {@link Standing}; undefined until they have been counted. */
  #used: Record<Standing, number> | undefined;
  #removing: Promise<void> | undefined;
  #isClosed = false;
  readonly #timer: Timer;

  constructor(private readonly options: RoomOptions) {
    this.#timer = setInterval(() => this.#removeSoon(), PRUNE_EVERY_MS);
    this.#removeSoon();
  }

  /** Adds the bytes of new rows to the count, and starts a removal if a limit is exceeded. */
  countAdded(rows: readonly AuditRow[]): void {
    if (!this.#used) return;
    for (const { standing, bytes } of rows) this.#used[standing] += bytes;
    if (STANDINGS.some((standing) => this.#exceedsShare(standing))) this.#removeSoon();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    await this.#removing;
  }

  #removeSoon(): void {
    this.#removing ??= this.#removeAll()
      .catch((error: unknown) => this.options.logger.error("the audit cannot be pruned", {}, error))
      .finally(() => (this.#removing = undefined));
  }

  async #removeAll(): Promise<void> {
    this.#used ??= await this.options.rows.auditSizes();
    const before = steadyNow() - this.options.keep;
    while (await this.#remove({ before }));
    for (const standing of STANDINGS) {
      while (this.#exceedsShare(standing) && (await this.#remove({ standing })));
    }
  }

  /** Removes a batch of rows. @returns false: no row was left to remove, or the audit is closed */
  async #remove(which: Parameters<RoomRows["removeAudit"]>[0]): Promise<boolean> {
    if (this.#isClosed) return false;
    const removed = await eventLoopBudget.run(() => this.options.rows.removeAudit(which));
    for (const { standing, bytes } of removed) if (this.#used) this.#used[standing] -= bytes;
    return removed.length > 0;
  }

  #exceedsShare(standing: Standing): boolean {
    return (this.#used?.[standing] ?? 0) > SHARES[standing] * this.options.maxSize;
  }
}
