import { FdsError, type Problem } from "../../protocol/errors.ts";
import { nextRound, pauses } from "../../util/fair-turns.ts";
import type { Clients } from "../clients/clients.ts";
import { type Download, newDownload, type Queued } from "../download.ts";
import type { Downloads } from "../downloads/downloads.ts";
import type { Repository } from "../database/repository.ts";
import { INSERTED_AT_ONCE, type Job, type JobRows, type NewDownload } from "../job.ts";
import { localTimes } from "./local-times.ts";
import { startOf } from "./spread.ts";
import { forbidsStarts } from "./status.ts";

/** Number of a job's clients that one query reads. */
const BATCH = 200;

/**
 * Number of downloads that are changed together, so that one flush makes all changes durable. After the
 * flush, whatever else these changes cause runs in one round of the event loop. With 50 downloads, that round
 * took over 20 ms on a slow machine.
 */
const FLUSHED_AT_ONCE = 20;

type JobDownload = Pick<Download, "clientId" | "downloadId" | "localTime">;

export interface SettlingOptions {
  rows: JobRows;
  repository: Pick<Repository, "listClients">;
  downloads: Pick<Downloads, "cancel" | "enqueued" | "giveUp" | "replaceBy">;
  clients: Pick<Clients, "isConnected">;
}

/**
 * Changes the downloads of a job to match its row: makes missing ones, repeats ended ones, and ends queued
 * ones. Each step is one conditional statement that may be repeated, so the work continues after a crash.
 */
export class Settling {
  constructor(private readonly options: SettlingOptions) {}

  async settle(job: Job): Promise<void> {
    if (job.rerun) await this.#repeatEnded(job, job.rerun);
    await this.makeMissing(job);
    const now = Date.now();
    if (!forbidsStarts(job, now)) return;
    const problem = job.status === "cancelled" || job.status === "stopped" ? null : EXPIRED;
    const { downloads } = this.options;
    await this.#eachUntilReopened(job, "queued", ({ downloadId }) =>
      downloads.giveUp(downloadId, problem),
    );
    if (job.status !== "cancelled") return;
    const cancel = async ({ downloadId }: JobDownload) => {
      try {
        await downloads.cancel(downloadId);
      } catch (error) {
        // The download may have ended by itself just now.
        const hasEnded = error instanceof FdsError && error.code === "download_already_ended";
        if (!hasEnded) throw error;
      }
    };
    await this.#eachUntilReopened(job, "downloading", cancel);
    await this.#eachUntilReopened(job, "verifying", cancel);
    // A download whose client disconnected meanwhile went back to `queued`, and is cancelled here.
    await this.#eachUntilReopened(job, "queued", ({ downloadId }) =>
      downloads.giveUp(downloadId, null),
    );
  }

  /** Makes the downloads of those clients of a job that have none. */
  async makeMissing(job: Job): Promise<void> {
    const { rows } = this.options;
    for (let after = "", isMore = true; isMore;) {
      const members = await rows.members(job.jobId, after, BATCH);
      const missing = members.filter(({ hasDownload }) => !hasDownload);
      await this.make(
        job,
        missing.map(({ clientId }) => clientId),
      );
      after = members.at(-1)?.clientId ?? "";
      isMore = members.length === BATCH;
      await nextRound();
    }
  }

  /** Makes the downloads of some clients of a job, except of those that have one. */
  async make(job: Job, clientIds: readonly string[]): Promise<void> {
    if (clientIds.length === 0) return;
    const { rows, repository } = this.options;
    const { jobId } = job;
    const { ifOffline: _, ...order } = job.order;
    const localTimeOf = await localTimes(job, clientIds, repository);
    const pause = pauses();
    const made: Queued[] = [];
    let batch: NewDownload[] = [];
    const insert = async () => {
      await pause();
      made.push(...(await rows.insertDownloads(batch)));
      batch = [];
    };
    for (const clientId of clientIds) {
      await pause();
      const { downloadId, localTime } = (await rows.replacementFor(jobId, clientId)) ?? {
        downloadId: Bun.randomUUIDv7(),
        localTime: localTimeOf(clientId),
      };
      const downloadOrder = { ...order, clientId, jobId, localTime };
      const download = newDownload(downloadId, downloadOrder, Date.now());
      batch.push({ download, startsAt: startOf(job, clientId) });
      if (batch.length === INSERTED_AT_ONCE) await insert();
    }
    await insert();
    await rows.flush();
    for (const download of made) {
      await pause();
      await this.#begin(job, download);
    }
  }

  /**
   * Queues a new download of a job. If the client is not connected, and the job does not wait for such
   * clients, the download fails instead.
   */
  async #begin({ order }: Job, download: Queued): Promise<void> {
    const { downloads, clients } = this.options;
    const failsAtOnce =
      order.ifOffline === "fail" && !(await clients.isConnected(download.clientId));
    if (failsAtOnce) await downloads.giveUp(download.downloadId, NOT_CONNECTED);
    else downloads.enqueued(download);
  }

  async #repeatEnded(job: Job, { statuses, before }: NonNullable<Job["rerun"]>): Promise<void> {
    for (const status of statuses) {
      await this.#each(job, status, async ({ downloadId, clientId, localTime }) => {
        if (downloadId >= before) return;
        const nextId = Bun.randomUUIDv7();
        if (!(await this.options.downloads.replaceBy(downloadId, nextId))) return;
        const { ifOffline: _, ...order } = job.order;
        const downloadOrder = { ...order, clientId, jobId: job.jobId, localTime };
        const row = newDownload(nextId, downloadOrder, Date.now());
        const startsAt = startOf(job, clientId);
        const made = await this.options.rows.insertDownload(row, startsAt);
        await this.options.rows.flush();
        if (made) await this.#begin(job, made);
      });
    }
  }

  /**
   * Calls a function for the newest download of each client of a job, if that download has a given status.
   * Stops when downloads of the job may start again, which is checked for each batch, because a retry can
   * reopen the job meanwhile.
   */
  #eachUntilReopened(
    job: Job,
    status: Download["status"],
    act: (one: JobDownload) => Promise<void>,
  ): Promise<void> {
    return this.#each(job, status, act, async () => {
      const current = await this.options.rows.get(job.jobId);
      return current !== null && forbidsStarts(current, Date.now());
    });
  }

  /**
   * Calls a function for the newest download of each client of a job, if the download has a given status.
   * Several calls run at a time.
   * @param shouldContinue called after a batch was read; if it returns false, the function is called for
   * neither this batch nor later ones
   */
  async #each(
    { jobId }: Job,
    status: Download["status"],
    act: (one: JobDownload) => Promise<void>,
    shouldContinue = async () => true,
  ): Promise<void> {
    const pause = pauses();
    for (let after = "", isMore = true; isMore;) {
      const batch = await this.options.rows.downloads(jobId, status, after, FLUSHED_AT_ONCE);
      if (!(await shouldContinue())) return;
      const acts: Promise<void>[] = [];
      const failures: unknown[] = [];
      for (const one of batch) {
        await pause();
        acts.push(act(one).catch((error: unknown) => void failures.push(error)));
      }
      await Promise.all(acts);
      if (failures.length > 0) throw failures[0];
      after = batch.at(-1)?.downloadId ?? "";
      isMore = batch.length === FLUSHED_AT_ONCE;
      await nextRound();
    }
  }
}

/**
 * Reports whether the downloads of a job have to be changed to match its row.
 * @param queued number of the job's queued downloads
 */
export function needsSettling(job: Job, queued: number, now: number): boolean {
  return job.unsettled || (queued > 0 && forbidsStarts(job, now));
}

const EXPIRED: Problem = { code: "expired", message: "the job's time was over before it was done" };
const NOT_CONNECTED: Problem = {
  code: "client_not_connected",
  message: "the client was not connected",
};
