import type { Logger } from "../../util/logger.ts";
import type { Repository } from "../database/repository.ts";
import type { Download, Verifying } from "../download.ts";
import type { DownloadEvent } from "../download-event.ts";
import type { Storage } from "../storage/storage.ts";

/** After an error of the database, rows that nobody works on are looked for after this time, in ms. */
const TAKE_UP_AFTER_MS = 5_000;

export interface RecoveryOptions {
  repository: Pick<Repository, "activeDownloads" | "servers" | "unendedAmong">;
  storage: Pick<Storage, "listParts" | "removePart" | "sets">;
  /** Whether this process works on a download. */
  isBusy: (downloadId: string) => boolean;
  /** Works on a download; never rejects. */
  run: (downloadId: string, work: () => Promise<void>) => Promise<void>;
  /** Goes on with a publishing that was cut short. */
  finish: (download: Verifying) => Promise<void>;
  apply: (downloadId: string, event: DownloadEvent) => Promise<Download>;
  /** More may be started than before. */
  wake: () => void;
  logOf: (download: Download) => Logger;
  logger: Logger;
}

/** Takes up downloads whose rows say that somebody works on them, when nobody does. */
export class Recovery {
  #timer: Timer | undefined;
  #stopped = false;

  constructor(private readonly options: RecoveryOptions) {}

  /** What another process left: bytes that no download wants are removed, the others go on. */
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
    await this.takeUp();
  }

  /**
   * A client is connected here: what another server had begun for it goes on from here. Whether that
   * server is there or not, the client is not with it any more.
   */
  async takeUpOf(clientId: string): Promise<void> {
    const { servers } = this.options.repository;
    for (const download of (await servers?.runningElsewhere(clientId)) ?? []) {
      const { downloadId, epoch } = download;
      this.options.logOf(download).info("download taken over from another server");
      await this.options.apply(downloadId, { type: "lost", epoch, now: Date.now() });
    }
  }

  /** Work on a download was interrupted, most often as the database gave an error: looks again later. */
  retryLater(): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.takeUp().catch((error: unknown) => {
        this.options.logger.error("the database cannot be read", {}, error);
        this.retryLater();
      });
    }, TAKE_UP_AFTER_MS);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** An attempt goes back to the queue, a publishing that was cut short is finished. */
  async takeUp(): Promise<void> {
    const { repository, isBusy, run, apply, wake, logOf } = this.options;
    const { servers } = repository;
    const awaited: Promise<void>[] = [];
    for (const download of await (servers?.ownerless() ?? repository.activeDownloads())) {
      const { downloadId, epoch, status } = download;
      if (isBusy(downloadId)) continue;
      logOf(download).info("download taken up again", { status });
      if (status === "verifying") {
        const finishing = run(downloadId, () => this.#finish(download));
        // A set may be half published: clients are let in once that is finished.
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
