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
   * Marks the client's downloads whose content somebody deleted from the storage; null: those of all clients.
   * @returns the number of marked downloads
   */
  noticeMissing: (clientId: string | null) => Promise<number>;
  jobs: JobHooks;
  metrics: Metrics;
  audit: Pick<Audit, "record">;
  logger: Logger;
}

/**
 * Runs downloads. Whatever happens becomes an event, the next state is recorded, and its effects are carried
 * out. The rows are authoritative: only the state of running attempts is in memory.
 */
export class Downloads {
  readonly #attempts: Attempts;
  /** Runs the attempts and publishings of each download one after the other. */
  readonly #work = new SerialQueue();
  readonly #recovery: Recovery;
  readonly #dispatcher: Dispatcher;
  readonly #commands: DownloadCommands;
  /** The progress of downloads that other servers run; null: this is the only server. */
  readonly #progressElsewhere: ProgressElsewhere | null;

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
    const logLimit = new LineLimit(options.logger);
    this.#progressElsewhere = options.repository.servers && new ProgressElsewhere();
    this.#attempts = new Attempts({
      ...options,
      isCrowded: () => this.#dispatcher.isCrowded(),
      apply: (downloadId, event) => this.#apply(downloadId, event),
      logOf: (download) => logLimit.of(download.clientId, this.#log(download)),
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

  /** Continues the waiting downloads of a client that registered, also those begun on another server. */
  clientRegistered(clientId: string): void {
    if (!this.options.repository.servers) return this.#dispatcher.clientRegistered(clientId);
    void this.#recovery
      .takeOverFor(clientId)
      .catch((error: unknown) =>
        this.options.logger.error("downloads were not taken over", { client_id: clientId }, error),
      )
      .then(() => this.#dispatcher.clientRegistered(clientId));
  }

  /** Handles another server's hint that a download waits for a client. */
  waitingFor(clientId: string): void {
    if (this.options.clients.sessionOf(clientId)) this.#dispatcher.clientRegistered(clientId);
  }

  /**
   * Takes account of what other servers changed, up to this revision of the rows of downloads.
   * @param hasServerEnded whether one of the servers has ended, so that its downloads are taken over
   */
  async check(hasServerEnded: boolean, revision: number): Promise<void> {
    await this.#attempts.check();
    if (hasServerEnded) await this.#recovery.start();
    this.#dispatcher.lookElsewhere(revision);
  }

  /** Handles another server's hint that a download changed. */
  checkOne(downloadId: string): Promise<void> {
    return this.#attempts.check(downloadId);
  }

  /** Looks for downloads to start, after a job allowed more of its downloads to run. */
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

  /** Logs an inserted download, reports it, and lets the dispatcher start it. */
  enqueued(download: Queued): void {
    this.#log(download).info("download queued", { file_path: download.filePath });
    this.#changed(download);
    this.#dispatcher.queued(download);
  }

  /** Ends a queued download. @param problem why it fails; null: it is cancelled */
  async giveUp(downloadId: string, problem: Problem | null): Promise<void> {
    await this.#apply(downloadId, { type: "given_up", now: Date.now(), problem });
  }

  /**
   * Records that the new download `next` replaces an ended download of the same job.
   * @returns false: another download has replaced the ended one already
   */
  async replaceBy(downloadId: string, next: string): Promise<boolean> {
    const after = await this.#apply(downloadId, { type: "retried", as: next });
    return "retriedAs" in after && after.retriedAs === next;
  }

  /** Returns a download. @throws FdsError `download_not_found` */
  async get(downloadId: string): Promise<Download> {
    const download = await this.options.repository.getDownload(downloadId);
    if (!download) throw downloadNotFound();
    return download;
  }

  /** Lists downloads, newest first. */
  list(filter: DownloadFilter): Promise<Download[]> {
    return this.options.repository.listDownloads(filter);
  }

  /**
   * Counts, by status, the downloads that were requested since a time in ms since 1970.
   * @param sites only these clients; null: all
   */
  totalsSince(since: number, sites: Sites | null, inTurn: InTurn): Promise<Totals> {
    return this.options.repository.totalsSince(since, sites, inTurn);
  }

  /** The number of downloads that run, by client id. */
  countActive(): Promise<Map<string, number>> {
    return this.options.repository.countActive();
  }

  /** The number of downloads that run in this process. */
  get runningCount(): number {
    return this.#attempts.count;
  }

  /**
   * Returns the progress of a running download; undefined: it does not run. If it runs in this process, the
   * progress is newer than the row. If another server runs it, the progress is estimated from its row.
   */
  progressOf(download: Download): Progress | undefined {
    const { progress } = this.#attempts.receiverOf(download) ?? {};
    return progress ?? this.#progressElsewhere?.progressOf(download);
  }

  /** @param at when the change began, by `performance.now` */
  #changed(download: Download, at = performance.now()): void {
    const { jobId, status } = download;
    this.options.onChange(download);
    if (jobId !== null) this.options.jobs.onChange(jobId, status, at);
  }

  /** Begins to run downloads, first those that an earlier process left unfinished. */
  async recover(): Promise<void> {
    await this.#recovery.start();
  }

  /** Flushes the bytes received, and puts all running downloads back into the queue for the next start. */
  async stop(): Promise<void> {
    this.#recovery.stop();
    await this.#dispatcher.stop();
    this.#attempts.stop();
    await this.#work.idle();
  }

  /**
   * Runs work on a download after all earlier work on it has ended. Otherwise a download that is claimed
   * again could run before the effects of its previous change are carried out.
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
      const at = performance.now();
      const after = await this.options.repository.replaceDownload(next, before);
      if (!after) continue; // Another change of the row came first.
      const hasNewStatus = after.status !== before.status;
      if (hasNewStatus) this.#log(after).info(`download ${after.status}`);
      if (hasNewStatus) this.#changed(after, at);
      // An ended download was marked as replaced. Its job is told of the new download instead.
      else if (hasEnded(after)) this.options.onChange(after);
      if (hasNewStatus && after.status === "queued") this.#dispatcher.queued(after);
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
