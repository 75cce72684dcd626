import { FdsError } from "../../protocol/errors.ts";
import type { SerialQueue } from "../../util/serial-queue.ts";
import type { Repository } from "../database/repository.ts";
import {
  type Download,
  type Ended,
  hasEnded,
  newDownload,
  type Order,
  orderOf,
  type Queued,
} from "../download.ts";
import type { DownloadEvent } from "../download-event.ts";
import { requireFreeSpace } from "../storage/free-space.ts";
import type { Storage } from "../storage/storage.ts";
import type { JobHooks } from "./job-hooks.ts";

/**
 * Longest wait until another server has published a download, and pause between two checks of this, in ms.
 */
const PUBLISH_WAIT_MS = 5_000;
const PUBLISH_CHECK_MS = 100;

export interface DownloadCommandsOptions {
  repository: Pick<Repository, "insertDownload" | "jobs" | "servers">;
  storage: Pick<Storage, "freeSpace">;
  /** Bytes that must stay free on the disk. */
  minFreeDisk: number;
  jobs: Pick<JobHooks, "reopen">;
  /** The queues of work on each download, by download id. */
  work: Pick<SerialQueue, "has" | "ended">;
  /** Returns a download. @throws FdsError `download_not_found` */
  get: (downloadId: string) => Promise<Download>;
  /** Applies an event to a download, then carries out the effects. */
  apply: (downloadId: string, event: DownloadEvent) => Promise<Download>;
  /** Records which download replaces an ended one, see `Downloads.replaceBy`. */
  replaceBy: (downloadId: string, next: string) => Promise<boolean>;
  /** Called after a download's row was inserted. */
  enqueued: (download: Queued) => void;
  /** Called after a download changed. */
  changed: (download: Download) => void;
}

/** The commands for downloads: create, cancel, limit the rate, retry. */
export class DownloadCommands {
  constructor(private readonly options: DownloadCommandsOptions) {}

  /** Creates a download. @throws FdsError `storage_full` when the disk is too full for new downloads */
  async create(order: Order): Promise<Download> {
    await this.#requireFreeSpace();
    const download = await this.options.repository.insertDownload(
      newDownload(Bun.randomUUIDv7(), order, Date.now()),
    );
    this.options.enqueued(download);
    return download;
  }

  /** Cancels a download. @throws FdsError `download_not_found` or `download_already_ended` */
  async cancel(downloadId: string): Promise<Download> {
    const deadline = performance.now() + PUBLISH_WAIT_MS;
    for (;;) {
      const before = await this.options.get(downloadId);
      if (hasEnded(before)) {
        throw alreadyEnded(before);
      }
      const after = await this.options.apply(downloadId, { type: "cancelled", now: Date.now() });
      if (after.status === "cancelled") return after;
      // The download is being published. That takes moments and may still fail, so the end of publishing is
      // awaited.
      if (this.options.work.has(downloadId)) await this.options.work.ended(downloadId);
      else if (this.options.repository.servers && performance.now() < deadline) {
        await Bun.sleep(PUBLISH_CHECK_MS);
      } else {
        throw new FdsError("download_already_ended", "The download is about to be completed");
      }
    }
  }

  /**
   * Changes the rate limit of a download, for the running attempt and for later ones.
   * @param rateLimit bytes a second; null: no limit
   * @throws FdsError `download_not_found` or `download_already_ended`
   */
  async limitRate(downloadId: string, rateLimit: number | null): Promise<Download> {
    const after = await this.options.apply(downloadId, { type: "rate_limited", rateLimit });
    if (hasEnded(after)) throw alreadyEnded(after);
    this.options.changed(after);
    return after;
  }

  /**
   * Makes a new download of the same files as a failed or cancelled one. The old download then names the new
   * one.
   * @throws FdsError `download_not_found`, `download_not_finished`, `download_already_ended`
   */
  async retry(downloadId: string): Promise<Download> {
    const download = await this.options.get(downloadId);
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
      await this.#requireFreeSpace();
      return this.options.jobs.reopen(download.jobId, () => this.#retryOfJob(download));
    }
    const retry = await this.create(orderOf(download));
    // The old row is marked after the new one is inserted. After a crash between the two, the old download
    // still counts as not replaced.
    await this.options.apply(downloadId, { type: "retried", as: retry.downloadId });
    return retry;
  }

  /**
   * Retries a download of a job. The old row is marked before the new one is inserted, so that each client of
   * a job has exactly one newest download. After a crash between the two, the job inserts the new row.
   */
  async #retryOfJob(download: Ended): Promise<Download> {
    const now = Date.now();
    const next = newDownload(Bun.randomUUIDv7(), orderOf(download), now);
    if (!(await this.options.replaceBy(download.downloadId, next.downloadId))) {
      throw new FdsError(
        "download_already_ended",
        "The file was asked for again already, by another download of the job",
      );
    }
    const { jobs } = this.options.repository;
    const made = await jobs.insertDownload(next, null);
    await jobs.flush();
    if (!made) return this.options.get(next.downloadId);
    this.options.enqueued(made);
    return made;
  }

  #requireFreeSpace(): Promise<void> {
    return requireFreeSpace(this.options.storage, this.options.minFreeDisk);
  }
}

/** Makes the error for an id that no download has, or whose download the caller may not see. */
export function downloadNotFound(): FdsError {
  return new FdsError("download_not_found", "There is no download with this id");
}

function alreadyEnded({ status }: Download): FdsError {
  return new FdsError("download_already_ended", `The download is ${status} already`);
}
