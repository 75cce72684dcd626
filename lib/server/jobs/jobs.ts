import { FdsError } from "../../protocol/errors.ts";
import type { Logger } from "../../util/logger.ts";
import { SerialQueue } from "../../util/serial-queue.ts";
import type { Caller } from "../access/caller.ts";
import type { Sites } from "../access/sites.ts";
import type { Clients } from "../clients/clients.ts";
import type { Repository } from "../database/repository.ts";
import type { Download } from "../download.ts";
import type { Downloads } from "../downloads/downloads.ts";
import type { JobHooks } from "../downloads/job-hooks.ts";
import type { Job, JobFilter, JobPlan, JobRows, JobTotals, Rerun } from "../job.ts";
import { JobMaking, type JobOrigin, type NewJob } from "./making.ts";
import { Membership } from "./membership.ts";
import { jobNotFound, requireOpen, requireUnexpired } from "./refusals.ts";
import { Settling } from "./settling.ts";
import { hasExpired, isEnded } from "./status.ts";
import { JobWatch } from "./watch.ts";

export interface JobsOptions {
  repository: Pick<Repository, "access" | "getClient" | "jobs" | "listClients" | "servers">;
  clients: Pick<Clients, "isConnected">;
  downloads: Downloads;
  /** Called when a job or its downloads changed, at most 4 times a second for each job. */
  onChange: (job: Job) => void;
  logger: Logger;
}

/** Delay after an error of the database until work on a job is tried again, in ms. */
const RETRY_AFTER_MS = 5_000;

/** Longest time that a call waits until its job's downloads are changed, in ms. */
const MAX_SETTLE_WAIT_MS = 2_000;

/** Age in ms from which a job whose clients are not all written yet counts as abandoned. */
const DRAFT_MS = 600_000;

/** Changes of a job. Absent fields stay as they are. */
export interface JobChange {
  /** When the job expires, in ms since 1970; null: never. */
  expiresAt?: number | null | undefined;
  maxConcurrent?: number | null | undefined;
}

/**
 * Requests to many clients. A job consists of its row, its clients and their downloads. {@link Settling}
 * changes the downloads to match the row, and `status.ts` computes the row's status from the downloads.
 */
export class Jobs implements JobHooks {
  readonly #rows: JobRows;
  readonly #making: JobMaking;
  readonly #membership: Membership;
  readonly #settling: Settling;
  readonly #watch: JobWatch;
  readonly #settleQueue = new SerialQueue();
  #stopped = false;

  constructor(private readonly options: JobsOptions) {
    const { repository, clients, downloads, logger } = options;
    const rows = (this.#rows = repository.jobs);
    this.#settling = new Settling({ rows, repository, downloads, clients });
    this.#making = new JobMaking(repository);
    this.#membership = new Membership({
      repository,
      join: (job, clientIds) => this.#join(job, clientIds),
      pause: (job) => this.pause(job.jobId),
    });
    this.#watch = new JobWatch({
      rows,
      settle: (jobId) => this.#settle(jobId),
      wake: () => downloads.wake(),
      onChange: options.onChange,
      logger,
    });
  }

  /** Returns the ids of the clients that a job would be for. @throws FdsError as {@link create} */
  choose(order: NewJob, caller: Caller): Promise<string[]> {
    return this.#making.choose(order, caller);
  }

  /**
   * Makes a job. Its downloads are made afterwards.
   * @param key idempotency key, with which a repeated request makes no second job; null: none
   * @throws FdsError `client_not_found`, `invalid_request`, `idempotency_conflict`
   */
  async create(order: NewJob, caller: Caller, key: string | null): Promise<Job> {
    const { job, isNew } = await this.#making.create(order, caller, key);
    return isNew ? this.#begin(job) : job;
  }

  /** Makes the job for one time of a schedule, or completes one that was begun before a crash. */
  async createFor(plan: JobPlan, clientIds: readonly string[], origin: JobOrigin): Promise<Job> {
    return this.#begin(await this.#making.write(plan, clientIds, origin));
  }

  #begin(job: Job): Job {
    this.options.logger.info("job made", { job_id: job.jobId, name: job.name });
    this.#watch.downloadChanged(job.jobId);
    void this.#watch.scheduleExpiry();
    this.#settleSoon(job.jobId);
    return job;
  }

  /** Returns a job. @throws FdsError `job_not_found` */
  async get(jobId: string): Promise<Job> {
    const job = await this.#rows.get(jobId);
    if (!job) throw jobNotFound();
    return job;
  }

  /** Lists jobs, newest first. */
  list(filter: JobFilter): Promise<Job[]> {
    return this.#rows.list(filter);
  }

  /** Returns totals of a job's downloads. @param sites counts only these clients; null: all */
  totals(jobId: string, sites: Sites | null): Promise<JobTotals> {
    return this.#rows.totals(jobId, sites);
  }

  /** Ends a job and all its unfinished downloads. @throws FdsError `job_not_found`, `job_ended` */
  async cancel(jobId: string): Promise<Job> {
    await this.#change(jobId, (job) => {
      requireOpen(job);
      return { ...job, status: "cancelled", endedAt: Date.now(), unsettled: true, rerun: null };
    });
    await this.#settleAndWait(jobId);
    return this.get(jobId);
  }

  /** Starts no more downloads of a job; running ones go on. @throws FdsError `job_not_found`, `job_ended` */
  pause(jobId: string): Promise<Job> {
    return this.#change(jobId, (job) => ({ ...requireOpen(job), status: "paused" }));
  }

  /** Resumes a paused job. @throws FdsError `job_not_found`, `job_ended` */
  async resume(jobId: string): Promise<Job> {
    const job = await this.#change(jobId, (row) => ({ ...requireOpen(row), status: "running" }));
    this.options.downloads.wake();
    return job;
  }

  /**
   * Repeats the newest download of each client of a job, if it ended with one of the statuses. A job that has
   * ended is reopened.
   * @throws FdsError `job_not_found`; `job_ended` if the job has expired
   */
  async rerun(jobId: string, statuses: Rerun["statuses"]): Promise<Job> {
    const { counts } = await this.totals(jobId, null);
    const before = requireUnexpired(await this.get(jobId));
    if (statuses.every((status) => counts[status] === 0)) return before;
    this.#watch.forgetFailures(jobId);
    await this.#change(jobId, (job) => ({
      ...requireUnexpired(job),
      status: job.status === "paused" ? "paused" : "running",
      endedAt: null,
      spreadFrom: Date.now(),
      rerun: { statuses, before: Bun.randomUUIDv7() },
      unsettled: true,
    }));
    await this.#settleAndWait(jobId);
    return this.get(jobId);
  }

  /** Changes a job. @throws FdsError `job_not_found`; `invalid_request` */
  async change(jobId: string, { expiresAt, maxConcurrent }: JobChange): Promise<Job> {
    const job = await this.#change(jobId, (row) => {
      if (expiresAt === null && row.membership === "continuous") {
        throw new FdsError("invalid_request", "A continuous job needs a time at which it expires");
      }
      return {
        ...row,
        ...(expiresAt !== undefined && { expiresAt }),
        ...(maxConcurrent !== undefined && { maxConcurrent }),
      };
    });
    void this.#watch.scheduleExpiry();
    this.options.downloads.wake();
    return job;
  }

  /** Removes abandoned jobs, and continues the others in the background. Called when the server starts. */
  async recover(): Promise<void> {
    await this.#rows.dropDrafts(Date.now() - (this.options.repository.servers ? DRAFT_MS : 0));
    return this.takeUp();
  }

  /** Continues all jobs that an earlier process or another server left unfinished. */
  async takeUp(): Promise<void> {
    for (const { jobId } of await this.#rows.open()) this.#settleSoon(jobId);
    for (const job of await this.#rows.continuous()) {
      this.#inBackground(() => this.#membership.sweep(job), job.jobId);
    }
    await this.#watch.scheduleExpiry();
  }

  /** Adds a client that registered, or whose labels changed, to the jobs that it now belongs to. */
  clientSeen(clientId: string): void {
    this.#inBackground(() => this.#membership.consider(clientId), clientId);
  }

  /** Pauses the continuous jobs that were made with a token that has ended. An operator may resume them. */
  async tokenEnded(tokenHash: string): Promise<void> {
    for (const job of await this.#rows.continuous()) {
      if (job.createdWith === tokenHash) await this.pause(job.jobId);
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#watch.stop();
  }

  mostOf = async (jobId: string): Promise<number> => {
    const job = await this.#rows.get(jobId);
    if (job?.status !== "running" || hasExpired(job, Date.now())) return 0;
    return job.maxConcurrent ?? Infinity;
  };

  onChange = (jobId: string, status: Download["status"], at: number): void =>
    this.#watch.downloadChanged(jobId, status === "failed" ? { failedAt: at } : {});

  reopen = async <T>(jobId: string, retry: () => Promise<T>): Promise<T> => {
    const job = await this.#change(jobId, (before) => {
      requireUnexpired(before);
      if (!isEnded(before)) return before;
      this.#watch.forgetFailures(jobId);
      // An empty `rerun` keeps the job from ending before the new download exists.
      const rerun = { statuses: [], before: "" };
      return { ...before, status: "running", endedAt: null, rerun, unsettled: true };
    });
    try {
      return await retry();
    } finally {
      if (job.unsettled) this.#settleSoon(jobId);
    }
  };

  /** Changes the row of a job by compare and set, which is repeated if another change came first. */
  async #change(jobId: string, make: (job: Job) => Job): Promise<Job> {
    for (;;) {
      const before = await this.get(jobId);
      const next = make(before);
      if (next === before) return before;
      const after = await this.#rows.replace(next);
      if (!after) continue;
      this.#watch.downloadChanged(jobId);
      return after;
    }
  }

  async #join(job: Job, clientIds: string[]): Promise<void> {
    const added = await this.#rows.addMembers(job.jobId, clientIds);
    if (added === 0) return;
    await this.#rows.flush();
    await this.#settling.make(job, clientIds);
    this.#watch.downloadChanged(job.jobId);
  }

  /**
   * Changes the downloads of a job to match its row, even if the row changes meanwhile. For each job, this
   * runs only once at a time.
   */
  #settle(jobId: string): Promise<void> {
    return this.#settleQueue.run(async () => {
      for (;;) {
        const job = await this.get(jobId);
        await this.#settling.settle(job);
        if (!job.unsettled) break;
        if (await this.#rows.replace({ ...job, unsettled: false, rerun: null })) break;
      }
      this.#watch.downloadChanged(jobId);
    }, jobId);
  }

  /** Changes a job's downloads to match its row, and waits at most {@link MAX_SETTLE_WAIT_MS} for that. */
  async #settleAndWait(jobId: string): Promise<void> {
    const settled = Promise.withResolvers<void>();
    const timer = setTimeout(settled.resolve, MAX_SETTLE_WAIT_MS);
    this.#inBackground(async () => {
      await this.#settle(jobId);
      settled.resolve();
    }, jobId);
    await settled.promise;
    clearTimeout(timer);
  }

  #settleSoon(jobId: string): void {
    this.#inBackground(() => this.#settle(jobId), jobId);
  }

  /** Runs work in the background, and again after an error. @param about id of a job or client, for logs */
  #inBackground(work: () => Promise<void>, about: string): void {
    work().catch((error: unknown) => {
      if (this.#stopped) return;
      this.options.logger.error("a job was interrupted", { about }, error);
      setTimeout(() => this.#inBackground(work, about), RETRY_AFTER_MS).unref();
    });
  }
}
