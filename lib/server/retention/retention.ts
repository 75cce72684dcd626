import { FdsError } from "../../protocol/errors.ts";
import type { Logger } from "../../util/logger.ts";
import type { Audit } from "../audit/audit.ts";
import type { Repository } from "../database/repository.ts";
import type { Completed, Download } from "../download.ts";
import { downloadNotFound } from "../downloads/commands.ts";
import { DAY_MS } from "../keep.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Storage } from "../storage/storage.ts";
import { Missing } from "./missing.ts";
import { Removal } from "./removal.ts";

export interface RetentionOptions {
  repository: Pick<Repository, "getDownload" | "keep" | "latestRevision" | "sets">;
  storage: Pick<Storage, "namesOf" | "sets" | "unpublish">;
  /** How long content without a rule is kept, in days; null: for ever. */
  keepDays: number | null;
  metrics: Metrics;
  audit: Pick<Audit, "record">;
  /** Called when a download was held, released or removed. */
  onChange: () => void;
  logger: Logger;
}

/** Maximum number of downloads that one query reads. */
const BATCH = 100;
/** Shortest time between two searches for downloads to remove, in ms. */
const SEARCH_EVERY_MS = 1_000;
/**
 * Longest time between two searches, in ms. Nothing wakes the loop when the clock is set, or when another
 * server leaves a removal unfinished because of an error.
 */
const LONGEST_SLEEP_MS = 60_000;
/** Delay of the next search after an error of the database or the storage, in ms. */
const RETRY_AFTER_MS = 10_000;
/**
 * The number of failed removals after which a search ends, because an unavailable storage fails every time.
 */
const MAX_FAILURES = 10;

/**
 * Removes the content that no rule keeps any more, in a loop that sleeps until the next download is due.
 * Several servers may do this at the same time, as each row is marked by only one of them.
 */
export class Retention {
  readonly #removal: Removal;
  readonly #missing: Missing;
  readonly #keepMs: number | null;
  #timer: Timer | undefined;
  #timerAt = Infinity;
  /** Earliest time of the next search, by `performance.now`. */
  #nextSearchAt = -Infinity;
  #searching: Promise<void> | undefined;
  #isWanted = false;
  #isStopped = false;

  constructor(private readonly options: RetentionOptions) {
    const { keepDays } = options;
    this.#keepMs = keepDays === null ? null : keepDays * DAY_MS;
    this.#removal = new Removal(options);
    this.#missing = new Missing(options);
  }

  /** Starts the loop. Its first search also finishes removals that an earlier process began. */
  start(): void {
    this.wake();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#searching;
    await this.#removal.idle();
  }

  /** Searches again soon for downloads to remove, because a completed or released one may be due. */
  wake(): void {
    this.#isWanted = true;
    if (!this.#searching) this.#sleep(this.#nextSearchAt - performance.now());
  }

  /** Sets or removes the hold of a download. @throws FdsError `download_not_found` */
  async hold(downloadId: string, isHeld: boolean): Promise<Download> {
    const changed = await this.options.repository.keep.setHold(downloadId, isHeld);
    if (!changed) throw downloadNotFound();
    this.options.onChange();
    return changed;
  }

  /**
   * Removes a completed download's content now. If it is removed already, nothing changes.
   * @throws FdsError `download_not_found`, `download_not_finished`, `content_held`, `storage_error`
   */
  async remove(downloadId: string): Promise<Download> {
    const { repository, onChange } = this.options;
    const marked = await repository.keep.markRemoved(downloadId, Date.now());
    if (marked) {
      onChange();
      await this.#removal.finish(marked);
      return marked;
    }
    const found = await repository.getDownload(downloadId);
    if (!found) throw downloadNotFound();
    if (found.status !== "completed") {
      throw new FdsError("download_not_finished", `The download is ${found.status}`);
    }
    if (found.removedAt !== null) return found;
    throw new FdsError("content_held", "The download is held, release it first");
  }

  /**
   * Marks as removed the downloads whose content somebody deleted from the storage by hand.
   * @param clientId only downloads of this client; null: of all clients
   * @returns the number of marked downloads
   * @throws FdsError `storage_error`
   */
  noticeMissing(clientId: string | null): Promise<number> {
    return this.#missing.markMissing(clientId);
  }

  #sleep(ms: number): void {
    const at = performance.now() + ms;
    if (this.#isStopped || at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => void this.#search(), Math.max(0, ms));
  }

  async #search(): Promise<void> {
    this.#timerAt = Infinity;
    this.#isWanted = false;
    let minDelay = SEARCH_EVERY_MS;
    let delay = LONGEST_SLEEP_MS;
    this.#searching = (async () => {
      try {
        const failures = (await this.#removeDue()) + (await this.#finishInterrupted());
        if (failures > 0) minDelay = RETRY_AFTER_MS;
        const dueAt = await this.options.repository.keep.nextDueAt(this.#keepMs);
        if (dueAt !== null) delay = Math.min(delay, dueAt - Date.now());
        else if (failures > 0) delay = RETRY_AFTER_MS;
      } catch (error) {
        this.#report(error);
        delay = minDelay = RETRY_AFTER_MS;
      }
    })();
    await this.#searching;
    this.#searching = undefined;
    this.#nextSearchAt = performance.now() + minDelay;
    this.#sleep(this.#isWanted ? minDelay : Math.max(minDelay, delay));
  }

  /**
   * Removes the content of the downloads that are due, until {@link MAX_FAILURES} removals have failed.
   * @returns the number of failed removals
   */
  async #removeDue(): Promise<number> {
    const { keep } = this.options.repository;
    while ((await keep.rank(BATCH)) === BATCH && !this.#isStopped);
    let failures = 0;
    for (let isMore = true; isMore;) {
      const ids = await keep.due(Date.now(), this.#keepMs, BATCH);
      for (const downloadId of ids) {
        if (this.#isStopped || failures >= MAX_FAILURES) return failures;
        const marked = await keep.markDue(downloadId, Date.now(), this.#keepMs);
        if (marked && !(await this.#finish(marked))) failures++;
      }
      isMore = ids.length > 0;
    }
    return failures;
  }

  /**
   * Finishes removals that an earlier process or another server began.
   * @returns the number of failed removals
   */
  async #finishInterrupted(): Promise<number> {
    let failures = 0;
    for (let after = "", isMore = true; isMore;) {
      const marked = await this.options.repository.keep.removing(after, BATCH);
      for (const download of marked) {
        if (this.#isStopped || failures >= MAX_FAILURES) return failures;
        if (!(await this.#finish(download))) failures++;
      }
      after = marked.at(-1)?.downloadId ?? after;
      isMore = marked.length === BATCH;
    }
    return failures;
  }

  /**
   * Deletes the bytes of a download whose row says that its content is removed.
   * @returns false: that failed, and is tried again later
   */
  async #finish(download: Completed): Promise<boolean> {
    const { downloadId, clientId, filePath } = download;
    this.options.onChange();
    try {
      if (!(await this.#removal.finish(download))) return true;
    } catch (error) {
      this.#report(error);
      return false;
    }
    this.options.audit.record({
      action: "content_remove",
      outcome: "ok",
      target: "retention",
      clientId,
      downloadId,
      filePath,
    });
    return true;
  }

  readonly #report = (error: unknown): void => {
    if (this.#isStopped) return;
    this.options.logger.error("what is due cannot be removed", {}, error);
  };
}
