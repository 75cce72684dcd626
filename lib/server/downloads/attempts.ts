import { FdsError, type Problem, problemOf } from "../../protocol/errors.ts";
import { FEATURES } from "../../protocol/messages.ts";
import type { Logger } from "../../util/logger.ts";
import { SerialQueue } from "../../util/serial-queue.ts";
import type { Clients } from "../clients/clients.ts";
import type { FlowControl } from "../transfer/flow-control.ts";
import type { Repository } from "../database/repository.ts";
import { type Download, type Downloading, resolvedSet, type Verifying } from "../download.ts";
import type { DownloadEvent } from "../download-event.ts";
import type { SetOrder } from "../set.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { checkAttempts, isNoMoreWanted, isPublishedHere } from "./check-attempts.ts";
import { type FilePublishing, finishPublishing, publish, type Report } from "./publish.ts";
import { findOverQuota, type Quotas } from "./quota.ts";
import { SetReceiver } from "../transfer/set-receiver.ts";
import { finishSet, publishSet, type SetPublishing } from "./publish-set.ts";
import { FileReceiver, type FileReceiverOptions } from "../transfer/file-receiver.ts";
import type { Outcome } from "../transfer/incoming-stream.ts";
import type { SpaceShortage } from "../storage/free-space.ts";
import type { Storage } from "../storage/storage.ts";

export interface AttemptsOptions {
  repository: Pick<Repository, "activeDownloads" | "getDownload" | "keep" | "servers" | "sets">;
  storage: Storage;
  clients: Pick<Clients, "sessionOf" | "problemOf">;
  credit: FlowControl;
  /** Bytes that must stay free on the disk. */
  minFreeDisk: number;
  quotas: Quotas;
  /**
   * Marks the client's downloads whose content somebody deleted from the storage; null: those of all clients.
   * @returns the number of marked downloads
   */
  noticeMissing: (clientId: string | null) => Promise<number>;
  metrics: Metrics;
  /** Reports whether a connected client waits for a slot that other clients use. */
  isCrowded: () => boolean;
  /** Applies an event to a download. @returns the download as it is after the event */
  apply: (downloadId: string, event: DownloadEvent) => Promise<Download>;
  logOf: (download: Download) => Logger;
}

/**
 * How long a download counts as waiting for a quota after it was refused for lack of quota, in ms. A waiting
 * download checks the quota again before this time is over.
 */
const QUOTA_WAIT_MS = 15_000;

type Receiver = FileReceiver | SetReceiver;

/** An attempt that runs on this server. */
interface Attempt {
  receiver: Receiver;
  /** True: the client has sent everything, and keeps the file open until it learns the result. */
  isAwaited: boolean;
  /** True: the part is removed as soon as it is closed. */
  mustDiscard: boolean;
}

/**
 * The attempts that run on this server, each from the claim of its download until its outcome is recorded.
 */
export class Attempts {
  readonly #running = new Map<string, Attempt>();
  readonly #checkpoints = new SerialQueue();
  readonly #starts = new SerialQueue();
  /**
   * When a download was last refused for lack of quota, by `performance.now`. The key is the id of the client
   * whose quota was exceeded; null: the quota of all clients.
   */
  readonly #refusedAt = new Map<string | null, number>();
  #stopped = false;

  constructor(private readonly options: AttemptsOptions) {}

  /** The number of running attempts. */
  get count(): number {
    return this.#running.size;
  }

  /** The number of a client's running attempts. */
  countOf(clientId: string): number {
    const all = this.#running.values();
    return all.reduce((sum, { receiver }) => sum + Number(receiver.clientId === clientId), 0);
  }

  /** The receiver of a running attempt; undefined: that attempt does not run here. */
  receiverOf({ downloadId, epoch }: Pick<Download, "downloadId" | "epoch">): Receiver | undefined {
    const receiver = this.#running.get(downloadId)?.receiver;
    return receiver?.epoch === epoch ? receiver : undefined;
  }

  /** Runs an attempt at a claimed download. @param claimedAt when it was claimed, by `performance.now` */
  async run(download: Downloading, claimedAt: number): Promise<void> {
    const { downloadId, clientId } = download;
    // Two machines may have been found to use the client's id since this download was claimed. The attempts
    // that ran at that moment were ended. This one did not run yet, so it is ended here.
    const problem = this.options.clients.problemOf(clientId, claimedAt);
    if (problem !== null) return this.#gaveWay(download, { code: "id_in_use", message: problem });
    const session = this.options.clients.sessionOf(clientId);
    const client = session?.client;
    if (this.#stopped || !session?.isOpen || !client) return this.#lost(download);
    if (download.set && !client.features.has(FEATURES.set)) {
      const message = "the client is too old for folders and patterns: update it";
      return this.#failed(download, { code: "client_outdated", message }, true);
    }
    const { chunkSize } = client;
    const receiver = session.attach((stream) =>
      this.#makeReceiver(download, { stream, chunkSize, link: session }),
    );
    const attempt: Attempt = { receiver, isAwaited: false, mustDiscard: false };
    this.#running.set(downloadId, attempt);
    try {
      const outcome = await receiver.run();
      attempt.isAwaited = AWAITED.has(outcome.type);
      await this.#settle(download, outcome);
      const hasItAll = AWAITED.has(outcome.type);
      const isUnwanted = await isNoMoreWanted(this.options.repository, download, hasItAll);
      if (attempt.mustDiscard || isUnwanted) await this.#remove(download);
    } finally {
      this.#answer(attempt, "cancel");
      this.#running.delete(downloadId);
    }
  }

  /**
   * Adjusts running attempts to the rows of their downloads, which other servers may have changed.
   * @param only id of the download to check; by default all are checked
   */
  async check(only?: string): Promise<void> {
    const all = [...this.#running].map(([downloadId, { receiver }]) => ({ downloadId, receiver }));
    const some = all.filter(({ downloadId }) => only === undefined || downloadId === only);
    await checkAttempts(this.options.repository, some);
  }

  /** Tells the client that its file is published, so that the client can close the file. */
  confirm({ downloadId, epoch }: Download): void {
    const attempt = this.#running.get(downloadId);
    if (attempt?.receiver.epoch === epoch) this.#answer(attempt, "done");
  }

  /** Continues an interrupted publishing. */
  async finish(download: Verifying): Promise<void> {
    await this.#publish(download, (needs) =>
      download.set ? finishSet(setOf(download), needs) : finishPublishing(download, needs),
    );
  }

  /** Removes a download's part, now or when the attempt that writes it has ended. */
  async discardPart(download: Download): Promise<void> {
    const attempt = this.#running.get(download.downloadId);
    if (attempt) attempt.mustDiscard = true;
    else await this.#remove(download);
  }

  /** Ends all attempts and starts no others. Received bytes are kept. */
  stop(): void {
    this.#stopped = true;
    for (const { receiver } of this.#running.values()) receiver.lose();
  }

  async #remove({ downloadId, set }: Download): Promise<void> {
    const { storage } = this.options;
    await (set ? storage.sets.remove(downloadId) : storage.removePart(downloadId));
  }

  #makeReceiver(
    download: Downloading,
    connection: Pick<FileReceiverOptions, "stream" | "chunkSize" | "link">,
  ): Receiver {
    const common = {
      ...this.options,
      ...connection,
      download,
      findOverQuota: (totalSize: number) => this.#findOverQuota(download, totalSize),
      othersWait: () => this.#othersWait(download.clientId),
      report: (event: DownloadEvent) => this.options.apply(download.downloadId, event),
      logger: this.options.logOf(download),
    };
    const { set, localTime } = download;
    if (set) {
      const order = resolvedSet(set, localTime);
      return new SetReceiver({ ...common, order, rows: this.options.repository.sets });
    }
    const { checkpointsInTurn } = this.options.storage;
    const checkpoints = checkpointsInTurn ? this.#checkpoints : new SerialQueue();
    return new FileReceiver({ ...common, checkpoints, starts: this.#starts });
  }

  #answer(attempt: Attempt, type: "done" | "cancel"): void {
    if (attempt.isAwaited) attempt.receiver.tell({ type });
    attempt.isAwaited = false;
  }

  async #findOverQuota(download: Download, totalSize: number): Promise<SpaceShortage | null> {
    const { quotas, repository, noticeMissing } = this.options;
    const find = () => findOverQuota(quotas, download, totalSize, repository, Date.now());
    let excess = await find();
    if (excess && !excess.final && (await noticeMissing(excess.clientId)) > 0)
      excess = await find();
    if (excess && !excess.final) this.#refusedAt.set(excess.clientId, performance.now());
    return excess;
  }

  /** Reports whether another download waits for a slot or for quota that a download of this client uses. */
  async #othersWait(clientId: string): Promise<boolean> {
    const since = performance.now() - QUOTA_WAIT_MS;
    const isShort = [null, clientId].some((id) => (this.#refusedAt.get(id) ?? -Infinity) > since);
    return isShort || this.options.isCrowded();
  }

  /**
   * Returns a function that reports events, and first checks the quota again when all bytes are received,
   * because other downloads may have used it up.
   */
  #reportWithinQuota(download: Download, report: Report): Report {
    return (event) => {
      if (event.type !== "received") return report(event);
      return this.#starts.run(async () => {
        const excess = await this.#findOverQuota(download, event.size);
        if (excess) throw new FdsError(excess.problem.code, excess.problem.message);
        return report(event);
      });
    };
  }

  async #settle(download: Downloading, outcome: Outcome): Promise<void> {
    switch (outcome.type) {
      case "abandoned":
        return;
      case "lost":
        return this.#lost(download);
      case "gave_way":
        return this.#gaveWay(download, outcome.problem);
      case "failed":
        return this.#failed(download, outcome.problem, outcome.final);
      case "received":
        return this.#publish(download, (needs) => publish(download, outcome, needs));
      case "set_received":
        return this.#publish(download, (needs) => publishSet(setOf(download), outcome, needs));
      case "nothing": {
        const digest = new Bun.CryptoHasher(download.checksum).digest("hex");
        const { downloadId, epoch } = download;
        const now = Date.now();
        await this.options.apply(downloadId, { ...outcome, epoch, now, digest });
        await this.options.storage.sets.remove(downloadId);
      }
    }
  }

  async #publish(
    download: Downloading | Verifying,
    work: (needs: FilePublishing & SetPublishing) => Promise<Download>,
  ): Promise<void> {
    const { storage, repository, apply } = this.options;
    const report = this.#reportWithinQuota(download, (event) => apply(download.downloadId, event));
    const isOurs = () => isPublishedHere(repository, download);
    try {
      await work({ storage, sets: storage.sets, rows: repository.sets, report, isOurs });
    } catch (error) {
      if (!(error instanceof FdsError)) throw error;
      await this.#failed(download, problemOf(error, "storage_error"));
    }
  }

  async #lost(download: Downloading): Promise<void> {
    const { downloadId, clientId, epoch } = download;
    const problem = this.options.clients.problemOf(clientId);
    if (problem !== null) {
      return this.#gaveWay(download, { code: "id_in_use", message: problem });
    }
    await this.options.apply(downloadId, { type: "lost", epoch, now: Date.now() });
  }

  async #gaveWay({ downloadId, epoch }: Downloading, problem: Problem): Promise<void> {
    const now = Date.now();
    await this.options.apply(downloadId, { type: "gave_way", epoch, now, problem });
  }

  async #failed(
    { downloadId, clientId, epoch }: Downloading | Verifying,
    { code, message }: Problem,
    final = false,
  ): Promise<void> {
    const now = Date.now();
    // If two machines use the client's id, they may be the cause of the error, so the message says that, too.
    const idProblem = this.options.clients.problemOf(clientId);
    const problem = { code, message: idProblem === null ? message : `${message}; ${idProblem}` };
    await this.options.apply(downloadId, { type: "failed", epoch, now, problem, final });
  }
}

/** Types of outcome after which the client waits for the server's `done` or `cancel`. */
const AWAITED: ReadonlySet<Outcome["type"]> = new Set(["received", "set_received", "nothing"]);

function setOf<D extends Download>(download: D): D & { set: SetOrder } {
  if (!download.set) throw new Error(`download "${download.downloadId}" is no set`);
  return { ...download, set: download.set };
}
