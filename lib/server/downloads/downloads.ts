import { FdsError, type Problem } from "../../protocol/errors.ts";
import type { InTurn } from "../../util/fair-turns.ts";
import { LineLimit } from "../../util/line-limit.ts";
import type { Logger } from "../../util/logger.ts";
import { SerialQueue } from "../../util/serial-queue.ts";
import type { Sites } from "../access/sites.ts";
import type { Audit } from "../audit/audit.ts";
import { accountFor } from "./account.ts";
import { Attempts } from "./attempts.ts";
import type { Clients } from "../clients/clients.ts";
import type { FlowControl } from "../transfer/flow-control.ts";
import type { DownloadFilter, Limits, Repository, Totals } from "../database/repository.ts";
import { Dispatcher } from "./dispatcher.ts";
import {
  type Download,
  type Ended,
  hasEnded,
  newDownload,
  type Order,
  orderOf,
  type Queued,
} from "../download.ts";
import type { DownloadEvent, Effect } from "../download-event.ts";
import { transition } from "../transition.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Quotas } from "./quota.ts";
import { Recovery } from "./recovery.ts";
import type { Progress } from "../transfer/incoming-stream.ts";
import type { Storage } from "../storage/storage.ts";

export interface DownloadsOptions {
  repository: Repository;
  storage: Storage;
  clients: Clients;
  credit: FlowControl;
  limits: Limits;
  /** Bytes that must stay free on the disk. */
  minFreeDisk: number;
  quotas: Quotas;
  /** A download is new, or another than before. */
  onChange: (download: Download) => void;
  /** Marks what was removed by hand, of a client or of all. @returns how many were marked */
  noticeMissing: (clientId: string | null) => Promise<number>;
  jobs: JobHooks;
  metrics: Metrics;
  audit: Pick<Audit, "record">;
  logger: Logger;
}

/** What jobs limit and hear of their downloads. */
export interface JobHooks {
  /** How many downloads of a job may run at once; 0: none may be started now. */
  mostOf: (jobId: string) => Promise<number>;
  /** A download of a job is new, or its status is another. */
  onChange: (jobId: string, status: Download["status"]) => void;
  /**
   * A job gets another download of a client, in place of one that ended: it goes on.
   * @param retry makes that download, once the job is open
   * @throws FdsError `job_ended`
   */
  reopen: <T>(jobId: string, retry: () => Promise<T>) => Promise<T>;
}

/** How long it is waited for what another server publishes, and how often it is looked at, in ms. */
const PUBLISHED_ELSEWHERE_MS = 5_000;
const PUBLISHED_LOOK_MS = 100;

/** The answer to an id that no download has, or none that the caller sees. */
export function downloadNotFound(): FdsError {
  return new FdsError("download_not_found", "There is no download with this id");
}

/**
 * Runs downloads: turns what happens into events, records the next state, then carries out the
 * effects. The rows are the truth; what is in memory here belongs to attempts that run now.
 */
export class Downloads {
  readonly #attempts: Attempts;
  /** Work on each download, attempts and publishings, one after the other. */
  readonly #work = new SerialQueue();
  readonly #recovery: Recovery;
  readonly #dispatcher: Dispatcher;

  constructor(private readonly options: DownloadsOptions) {
    const lines = new LineLimit(options.logger);
    this.#attempts = new Attempts({
      ...options,
      isCrowded: () => this.#dispatcher.isCrowded(),
      apply: (downloadId, event) => this.#apply(downloadId, event),
      logOf: (download) => lines.of(download.clientId, this.#log(download)),
    });
    this.#dispatcher = new Dispatcher({
      ...options,
      runningOf: (clientId) => this.#attempts.countOf(clientId),
      mostOf: options.jobs.mostOf,
      isConnected: (clientId) => options.clients.sessionOf(clientId)?.isOpen ?? false,
      start: (download) => {
        const claimedAt = performance.now();
        void this.#run(download.downloadId, () => this.#attempts.run(download, claimedAt));
        this.#changed(download);
      },
    });
    this.#recovery = new Recovery({
      ...options,
      isBusy: (downloadId) => this.#work.has(downloadId),
      run: (downloadId, work) => this.#run(downloadId, work),
      finish: (download) => this.#attempts.finish(download),
      apply: (downloadId, event) => this.#apply(downloadId, event),
      wake: () => this.#dispatcher.wake(),
      logOf: (download) => this.#log(download),
    });
  }

  /** A client is there: what waits for it goes on, and what another server had begun for it. */
  clientRegistered(clientId: string): void {
    if (!this.options.repository.servers) return this.#dispatcher.clientRegistered(clientId);
    void this.#recovery
      .takeUpOf(clientId)
      .catch((error: unknown) =>
        this.options.logger.error("downloads were not taken over", { client_id: clientId }, error),
      )
      .then(() => this.#dispatcher.clientRegistered(clientId));
  }

  /** Something waits for a client, as another server tells. */
  waitingFor(clientId: string): void {
    if (this.options.clients.sessionOf(clientId)) this.#dispatcher.clientRegistered(clientId);
  }

  /**
   * Looks at what other servers changed.
   * @param isOneGone whether one of them has ended: what it worked on is taken up
   */
  async check(isOneGone: boolean): Promise<void> {
    await this.#attempts.check();
    if (isOneGone) await this.#recovery.takeUp();
    this.#dispatcher.wake();
  }

  /** A download is another than before, as another server tells. */
  checkOne(downloadId: string): Promise<void> {
    return this.#attempts.check(downloadId);
  }

  /** A job lets more be started than before. */
  wake(): void {
    this.#dispatcher.wake();
  }

  /** @throws FdsError `storage_full` when the disk has no room for anything new */
  async create(order: Order): Promise<Download> {
    await this.#requireRoom();
    const download = await this.options.repository.insertDownload(
      newDownload(Bun.randomUUIDv7(), order, Date.now()),
    );
    this.enqueued(download);
    return download;
  }

  /** Logs a row that was inserted, and lets the dispatcher start it. */
  enqueued(download: Queued): void {
    this.#log(download).info("download queued", { file_path: download.filePath });
    this.#changed(download);
    this.#dispatcher.queued(download);
  }

  /**
   * Ends a download if it waits.
   * @param problem why it failed; null: it is cancelled
   */
  async giveUp(downloadId: string, problem: Problem | null): Promise<void> {
    await this.#apply(downloadId, { type: "given_up", now: Date.now(), problem });
  }

  /**
   * Takes down which download comes in place of one of a job that ended.
   * @returns whether this one does, and not another
   */
  async replaceBy(downloadId: string, next: string): Promise<boolean> {
    const after = await this.#apply(downloadId, { type: "retried", as: next });
    return "retriedAs" in after && after.retriedAs === next;
  }

  /** @throws FdsError `download_not_found` */
  async get(downloadId: string): Promise<Download> {
    const download = await this.options.repository.getDownload(downloadId);
    if (!download) throw downloadNotFound();
    return download;
  }

  /** Newest first. */
  list(filter: DownloadFilter): Promise<Download[]> {
    return this.options.repository.listDownloads(filter);
  }

  /**
   * The downloads that were asked for since a time, ms since 1970, counted by status.
   * @param sites only those of these clients; null: of all
   */
  totalsSince(since: number, sites: Sites | null, inTurn: InTurn): Promise<Totals> {
    return this.options.repository.totalsSince(since, sites, inTurn);
  }

  /** How many downloads of each client are under way. */
  countActive(): Promise<Map<string, number>> {
    return this.options.repository.countActive();
  }

  /** How many downloads this process runs now. */
  get runningCount(): number {
    return this.#attempts.count;
  }

  /** The progress of a download that runs in this process, fresher than its row; else undefined. */
  progressOf(download: Download): Progress | undefined {
    return this.#attempts.receiverOf(download)?.progress;
  }

  /** @throws FdsError `download_not_found` or `download_already_ended` */
  async cancel(downloadId: string): Promise<Download> {
    const patience = performance.now() + PUBLISHED_ELSEWHERE_MS;
    for (;;) {
      const before = await this.get(downloadId);
      if (hasEnded(before)) {
        throw alreadyEnded(before);
      }
      const after = await this.#apply(downloadId, { type: "cancelled", now: Date.now() });
      if (after.status === "cancelled") return after;
      // It is being published, which is a matter of moments and may still fail.
      if (this.#work.has(downloadId)) await this.#work.over(downloadId);
      else if (this.options.repository.servers && performance.now() < patience) {
        await Bun.sleep(PUBLISHED_LOOK_MS);
      } else {
        throw new FdsError("download_already_ended", "The download is about to be completed");
      }
    }
  }

  /**
   * Changes how fast a download may go, now and in later attempts.
   * @param rateLimit bytes a second; null: as fast as the link
   * @throws FdsError `download_not_found` or `download_already_ended`
   */
  async limitRate(downloadId: string, rateLimit: number | null): Promise<Download> {
    const after = await this.#apply(downloadId, { type: "rate_limited", rateLimit });
    if (hasEnded(after)) throw alreadyEnded(after);
    this.#changed(after);
    return after;
  }

  /**
   * Asks again for the file of a failed or cancelled download, which then names the new one.
   * @throws FdsError `download_not_found`, `download_not_finished`, `download_already_ended`
   */
  async retry(downloadId: string): Promise<Download> {
    const download = await this.get(downloadId);
    if (download.status === "completed") {
      throw new FdsError(
        "download_already_ended",
        "The download is completed, there is nothing to retry",
      );
    }
    if (!hasEnded(download)) {
      throw new FdsError("download_not_finished", "The download has not ended, cancel it first");
    }
    if (download.jobId !== null) {
      await this.#requireRoom();
      return this.options.jobs.reopen(download.jobId, () => this.#retryOfJob(download));
    }
    const retry = await this.create(orderOf(download));
    // After it is there: until then the file is owed, whatever breaks in between.
    await this.#apply(downloadId, { type: "retried", as: retry.downloadId });
    return retry;
  }

  /**
   * A job has one newest download for each client, so the old row is marked before the new one is
   * inserted. After a crash between the two, the job inserts it.
   */
  async #retryOfJob(download: Ended): Promise<Download> {
    const now = Date.now();
    const next = newDownload(Bun.randomUUIDv7(), orderOf(download), now);
    if (!(await this.replaceBy(download.downloadId, next.downloadId))) {
      throw new FdsError(
        "download_already_ended",
        "The file was asked for again already, by another download of the job",
      );
    }
    const { jobs } = this.options.repository;
    const made = await jobs.insertDownload(next, null);
    await jobs.flush();
    if (!made) return this.get(next.downloadId);
    this.enqueued(made);
    return made;
  }

  async #requireRoom(): Promise<void> {
    const { storage, minFreeDisk } = this.options;
    if ((await storage.freeSpace()).free >= minFreeDisk) return;
    throw new FdsError("storage_full", "The server's disk is too full for another download");
  }

  #changed(download: Download): void {
    const { jobId, status } = download;
    this.options.onChange(download);
    if (jobId !== null) this.options.jobs.onChange(jobId, status);
  }

  /** Begins to work: takes up what an earlier process left. */
  async recover(): Promise<void> {
    await this.#recovery.start();
  }

  /** Flushes what has arrived and puts everything back into the queue, for the next start. */
  async stop(): Promise<void> {
    this.#recovery.stop();
    await this.#dispatcher.stop();
    this.#attempts.stop();
    await this.#work.idle();
  }

  /**
   * Runs work on a download after all earlier work on it has ended: a row that waits again may be
   * claimed before it is flushed, and what follows from it is not yet done then.
   */
  #run(downloadId: string, work: () => Promise<void>): Promise<void> {
    return this.#work.run(async () => {
      try {
        await work();
      } catch (error) {
        this.options.logger.error("a download was interrupted", { download_id: downloadId }, error);
        this.#recovery.retryLater();
      }
    }, downloadId);
  }

  /** Records what an event makes of a download, then does what follows from it. */
  async #apply(downloadId: string, event: DownloadEvent): Promise<Download> {
    for (;;) {
      const before = await this.get(downloadId);
      const { next, effects } = transition(before, event);
      if (next === before) return before;
      const after = await this.options.repository.replaceDownload(next, before);
      // Somebody else changed the row in between: look again what the event means now.
      if (!after) continue;
      const isOther = after.status !== before.status;
      if (isOther) this.#log(after).info(`download ${after.status}`);
      if (isOther) this.#changed(after);
      // That it was asked for again is told, but a job hears of the new one.
      else if (hasEnded(after)) this.options.onChange(after);
      if (isOther && after.status === "queued") this.#dispatcher.queued(after);
      accountFor(before, after, this.options);
      for (const effect of effects) await this.#carryOut(after, effect);
      return after;
    }
  }

  async #carryOut(download: Download, effect: Effect): Promise<void> {
    const receiver = this.#attempts.receiverOf(download);
    switch (effect.type) {
      case "stop_client":
        receiver?.abandon();
        return;
      case "apply_rate_limit":
        receiver?.limitRate(download.rateLimit);
        return;
      case "confirm_client":
        this.#attempts.confirm(download);
        return;
      case "discard_part":
        return this.#attempts.discardPart(download);
      case "dispatch":
        this.#dispatcher.wake();
        return;
      case "log":
        this.#log(download).log(effect.level, effect.message);
    }
  }

  #log(download: Download): Logger {
    const { downloadId, clientId } = download;
    return this.options.logger.with({ download_id: downloadId, client_id: clientId });
  }
}

function alreadyEnded({ status }: Download): FdsError {
  return new FdsError("download_already_ended", `The download is ${status} already`);
}
