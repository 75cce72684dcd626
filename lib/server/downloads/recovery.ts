import type { Logger } from "../../util/logger.ts";
import type { Repository } from "../database/repository.ts";
import type { Download, Verifying } from "../download.ts";
import type { DownloadEvent } from "../download-event.ts";
import type { Storage } from "../storage/storage.ts";

/** Delay after an error of the database until abandoned downloads are looked for, in ms. */
const RETRY_AFTER_MS = 5_000;

export interface RecoveryOptions {
  repository: Pick<Repository, "activeDownloads" | "servers" | "unendedAmong">;
  storage: Pick<Storage, "listParts" | "removePart" | "sets">;
  /** Reports whether this process works on a download. */
  isBusy: (downloadId: string) => boolean;
  /** Runs work on a download after all earlier work on it. The promise never rejects. */
  run: (downloadId: string, work: () => Promise<void>) => Promise<void>;
  /** Continues an interrupted publishing. */
  finish: (download: Verifying) => Promise<void>;
  apply: (downloadId: string, event: DownloadEvent) => Promise<Download>;
  /** Called when more downloads may start. */
  wake: () => void;
  logOf: (download: Download) => Logger;
  logger: Logger;
}

/**
 * Takes over downloads that run or are being published according to their rows, although no process works on
 * them.
 */
export class Recovery {
  #timer: Timer | undefined;
  #stopped = false;

  constructor(private readonly options: RecoveryOptions) {}

  /**
   * Continues the work of an earlier process: removes bytes that no download needs, and takes over its
   * unfinished downloads.
   */
  async start(): Promise<void> {
    const { repository, storage } = this.options;
    const [parts, sets] = [await storage.listParts(), await storage.sets.list()];
    const wanted = await repository.unendedAmong([...parts, ...sets]);
    for (const downloadId of parts) {
      if (!wanted.has(downloadId)) await storage.removePart(downloadId);
    }
    for (const downloadId of sets) {
      if (!wanted.has(downloadId)) await storage.sets.remove(downloadId);
    }
    await this.takeOverAbandoned();
  }

  /**
   * Takes over downloads that another server had started for a client that has registered here. The client is
   * no longer connected to that server, which may still be running.
   */
  async takeOverFor(clientId: string): Promise<void> {
    const { servers } = this.options.repository;
    for (const download of (await servers?.runningElsewhere(clientId)) ?? []) {
      const { downloadId, epoch } = download;
      this.options.logOf(download).info("download taken over from another server");
      await this.options.apply(downloadId, { type: "lost", epoch, now: Date.now() });
    }
  }

  /** Looks for abandoned downloads later, after an error of the database interrupted work on a download. */
  retryLater(): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.takeOverAbandoned().catch((error: unknown) => {
        this.options.logger.error("the database cannot be read", {}, error);
        this.retryLater();
      });
    }, RETRY_AFTER_MS);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Puts abandoned attempts back into the queue, and finishes interrupted publishings. */
  async takeOverAbandoned(): Promise<void> {
    const { repository, isBusy, run, apply, wake, logOf } = this.options;
    const { servers } = repository;
    const awaited: Promise<void>[] = [];
    for (const download of await (servers?.recoverable() ?? repository.activeDownloads())) {
      const { downloadId, epoch, status } = download;
      if (isBusy(downloadId)) continue;
      logOf(download).info("download taken up again", { status });
      if (status === "verifying") {
        const finishing = run(downloadId, () => this.#finish(download));
        // A half published set is finished before this function returns, because clients may connect only
        // after that.
        if (download.set) awaited.push(finishing);
        continue;
      }
      const losing = run(downloadId, async () => {
        await apply(downloadId, { type: "lost", epoch, now: Date.now() });
      });
      awaited.push(losing);
    }
    await Promise.all(awaited);
    wake();
  }

  async #finish(download: Verifying): Promise<void> {
    const { repository, finish } = this.options;
    const { servers } = repository;
    const taken = servers ? await servers.takeOver(download) : download;
    if (taken) await finish(taken);
  }
}
