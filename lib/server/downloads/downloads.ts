import type { Problem } from "../../protocol/errors.ts";
import type { InTurn } from "../../util/fair-turns.ts";
import { LineLimit } from "../../util/line-limit.ts";
import type { Logger } from "../../util/logger.ts";
import { SerialQueue } from "../../util/serial-queue.ts";
import type { Sites } from "../access/sites.ts";
import type { Audit } from "../audit/audit.ts";
import { accountFor } from "./account.ts";
import { Attempts } from "./attempts.ts";
import type { Clients } from "../clients/clients.ts";
import { DownloadCommands, downloadNotFound } from "./commands.ts";
import type { FlowControl } from "../transfer/flow-control.ts";
import type { DownloadFilter, Limits, Repository, Totals } from "../database/repository.ts";
import { Dispatcher } from "./dispatcher.ts";
import { type Download, hasEnded, type Order, type Queued } from "../download.ts";
import type { DownloadEvent, Effect } from "../download-event.ts";
import { transition } from "../transition.ts";
import type { JobHooks } from "./job-hooks.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Quotas } from "./quota.ts";
import { ProgressElsewhere } from "./progress-elsewhere.ts";
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
  /** Called for each new or changed download. */
  onChange: (download: Download) => void;
  /**
   * Marks content that was removed by hand, of a client or of all.
   * @returns how many downloads were marked
   */
  noticeMissing: (clientId: string | null) => Promise<number>;
  jobs: JobHooks;
  metrics: Metrics;
  audit: Pick<Audit, "record">;
  logger: Logger;
}

/**
 * Runs downloads: turns what happens into events, records the next state, then carries out the effects. The
 * rows are the truth; the state in memory belongs to attempts that run now.
 */
export class Downloads {
  readonly #attempts: Attempts;
  /** Runs the work on each download, attempts and publishings, one after the other. */
  readonly #work = new SerialQueue();
  readonly #recovery: Recovery;
  readonly #dispatcher: Dispatcher;
  readonly #commands: DownloadCommands;
  /** null: this is the only server. */
  readonly #elsewhere: ProgressElsewhere | null;

  constructor(private readonly options: DownloadsOptions) {
    this.#commands = new DownloadCommands({
      ...options,
      work: this.#work,
      get: (downloadId) => this.get(downloadId),
      apply: (downloadId, event) => this.#apply(downloadId, event),
      replaceBy: (downloadId, next) => this.replaceBy(downloadId, next),
      enqueued: (download) => this.enqueued(download),
      changed: (download) => this.#changed(download),
    });
    const lines = new LineLimit(options.logger);
    this.#elsewhere = options.repository.servers && new ProgressElsewhere();
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

  /** A client registered: its waiting downloads go on, including those that another server had started. */
  clientRegistered(clientId: string): void {
    if (!this.options.repository.servers) return this.#dispatcher.clientRegistered(clientId);
    void this.#recovery
      .takeUpOf(clientId)
      .catch((error: unknown) =>
        this.options.logger.error("downloads were not taken over", { client_id: clientId }, error),
      )
      .then(() => this.#dispatcher.clientRegistered(clientId));
  }

  /** Another server's hint: a download waits for a client. */
  waitingFor(clientId: string): void {
    if (this.options.clients.sessionOf(clientId)) this.#dispatcher.clientRegistered(clientId);
  }

  /**
   * Looks at what other servers changed, up to a revision of downloads.
   * @param isOneGone whether one of them has ended, so that its work is taken over
   */
  async check(isOneGone: boolean, revision: number): Promise<void> {
    await this.#attempts.check();
    if (isOneGone) await this.#recovery.start();
    this.#dispatcher.lookElsewhere(revision);
  }

  /** Another server's hint: a download changed. */
  checkOne(downloadId: string): Promise<void> {
    return this.#attempts.check(downloadId);
  }

  /** A job now allows more downloads to start. */
  wake(): void {
    this.#dispatcher.wake();
  }

  /** @throws see {@link DownloadCommands.create} */
  create(order: Order): Promise<Download> {
    return this.#commands.create(order);
  }

  /** @throws see {@link DownloadCommands.cancel} */
  cancel(downloadId: string): Promise<Download> {
    return this.#commands.cancel(downloadId);
  }

  /** @throws see {@link DownloadCommands.limitRate} */
  limitRate(downloadId: string, rateLimit: number | null): Promise<Download> {
    return this.#commands.limitRate(downloadId, rateLimit);
  }

  /** @throws see {@link DownloadCommands.retry} */
  retry(downloadId: string): Promise<Download> {
    return this.#commands.retry(downloadId);
  }

  /** Logs an inserted download, and lets the dispatcher start it. */
  enqueued(download: Queued): void {
    this.#log(download).info("download queued", { file_path: download.filePath });
    this.#changed(download);
    this.#dispatcher.queued(download);
  }

  /** Ends a download if it is waiting. @param problem why it fails; null: it is cancelled */
  async giveUp(downloadId: string, problem: Problem | null): Promise<void> {
    await this.#apply(downloadId, { type: "given_up", now: Date.now(), problem });
  }

  /**
   * Records which download takes the place of an ended one of a job.
   * @returns false where another one takes its place
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
   * Counts downloads by status that were requested since a time, ms since 1970.
   * @param sites only these clients; null: all
   */
  totalsSince(since: number, sites: Sites | null, inTurn: InTurn): Promise<Totals> {
    return this.options.repository.totalsSince(since, sites, inTurn);
  }

  /** Number of unfinished downloads by client. */
  countActive(): Promise<Map<string, number>> {
    return this.options.repository.countActive();
  }

  /** Number of downloads that run in this process. */
  get runningCount(): number {
    return this.#attempts.count;
  }

  /**
   * Progress of a running download. In this process it is more recent than the row; for one that another
   * server runs, it follows from the row. Else undefined.
   */
  progressOf(download: Download): Progress | undefined {
    const { progress } = this.#attempts.receiverOf(download) ?? {};
    return progress ?? this.#elsewhere?.of(download);
  }

  #changed(download: Download): void {
    const { jobId, status } = download;
    this.options.onChange(download);
    if (jobId !== null) this.options.jobs.onChange(jobId, status);
  }

  /** Starts to work: takes over what an earlier process left. */
  async recover(): Promise<void> {
    await this.#recovery.start();
  }

  /** Flushes what has arrived, and puts all running downloads back into the queue for the next start. */
  async stop(): Promise<void> {
    this.#recovery.stop();
    await this.#dispatcher.stop();
    this.#attempts.stop();
    await this.#work.idle();
  }

  /**
   * Runs work on a download after all earlier work on it has ended. A row may be claimed again before the
   * previous change is flushed, and before its effects are carried out.
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

  /** Applies an event to a download, then carries out the effects. */
  async #apply(downloadId: string, event: DownloadEvent): Promise<Download> {
    for (;;) {
      const before = await this.get(downloadId);
      const { next, effects } = transition(before, event);
      if (next === before) return before;
      const after = await this.options.repository.replaceDownload(next, before);
      // Somebody else changed the row: decide again from the new one.
      if (!after) continue;
      const isOther = after.status !== before.status;
      if (isOther) this.#log(after).info(`download ${after.status}`);
      if (isOther) this.#changed(after);
      // A retried download is reported to readers of events, but not to its job, which hears of the new
      // one.
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
