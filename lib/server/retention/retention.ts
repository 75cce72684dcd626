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
const LOOK_EVERY_MS = 1_000;
/**
 * Longest time between two searches, in ms. Nothing wakes the loop when the clock is set, or when another
 * server leaves a removal unfinished because of an error.
 */
const LONGEST_SLEEP_MS = 60_000;
/** Delay of the next search after an error of the database or the storage, in ms. */
const AGAIN_AFTER_MS = 10_000;
/**
 * The number of failed removals after which a search ends, because an unavailable storage fails every time.
 */
const MOST_FAILURES = 10;

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
  #nextLookAt = -Infinity;
  #looking: Promise<void> | undefined;
  #wanted = false;
  #stopped = false;

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
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#looking;
    await this.#removal.idle();
  }

  /** Searches again soon for downloads to remove, because a completed or released one may be due. */
  wake(): void {
    this.#wanted = true;
    if (!this.#looking) this.#sleep(this.#nextLookAt - performance.now());
  }

  /** Sets or removes the hold of a download. @throws FdsError `download_not_found` */
  async hold(downloadId: string, isHeld: boolean): Promise<Download> {
    const after = await this.options.repository.keep.setHold(downloadId, isHeld);
    if (!after) throw downloadNotFound();
    this.options.onChange();
    return after;
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
    return this.#missing.notice(clientId);
  }

  #sleep(ms: number): void {
    const at = performance.now() + ms;
    if (this.#stopped || at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => void this.#look(), Math.max(0, ms));
  }

  async #look(): Promise<void> {
    this.#timerAt = Infinity;
    this.#wanted = false;
    let rest = LOOK_EVERY_MS;
    let sleep = LONGEST_SLEEP_MS;
    this.#looking = (async () => {
      try {
        const failures = (await this.#removeDue()) + (await this.#finishOthers());
        if (failures > 0) rest = AGAIN_AFTER_MS;
        const dueAt = await this.options.repository.keep.nextDueAt(this.#keepMs);
        if (dueAt !== null) sleep = Math.min(sleep, dueAt - Date.now());
        else if (failures > 0) sleep = AGAIN_AFTER_MS;
      } catch (error) {
        this.#report(error);
        sleep = rest = AGAIN_AFTER_MS;
      }
    })();
    await this.#looking;
    this.#looking = undefined;
    this.#nextLookAt = performance.now() + rest;
    this.#sleep(this.#wanted ? rest : Math.max(rest, sleep));
  }

  /**
   * Removes the content of the downloads that are due, until {@link MOST_FAILURES} removals have failed.
   * @returns the number of failed removals
   */
  async #removeDue(): Promise<number> {
    const { keep } = this.options.repository;
    while ((await keep.rank(BATCH)) === BATCH && !this.#stopped);
    let failures = 0;
    for (let isMore = true; isMore;) {
      const ids = await keep.due(Date.now(), this.#keepMs, BATCH);
      for (const downloadId of ids) {
        if (this.#stopped || failures >= MOST_FAILURES) return failures;
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
  async #finishOthers(): Promise<number> {
    let failures = 0;
    for (let after = "", isMore = true; isMore;) {
      const marked = await this.options.repository.keep.removing(after, BATCH);
      for (const download of marked) {
        if (this.#stopped || failures >= MOST_FAILURES) return failures;
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
    if (this.#stopped) return;
    this.options.logger.error("what is due cannot be removed", {}, error);
  };
}
