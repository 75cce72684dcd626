import type { Logger } from "../../util/logger.ts";
import type { Job, JobRows } from "../job.ts";
import { isToSettle } from "./settling.ts";
import { hasExpired, hasToStop, isEnded, statusOf } from "./status.ts";

/** Shortest time between two checks of a job, and between two events about it, in ms. */
const LOOK_EVERY_MS = 250;

/** Longest time between two events about a job while its downloads receive bytes, in ms. */
const PROGRESS_EVERY_MS = 1_000;

/** Delay of the next try after an error of the database, in ms. */
const AGAIN_AFTER_MS = 5_000;

/**
 * Longest wait of a timer, in ms. The time at which a job expires is checked this often, because the system's
 * clock may be set meanwhile.
 */
const LONGEST_WAIT_MS = 60_000;

export interface JobWatchOptions {
  rows: JobRows;
  settle: (jobId: string) => Promise<void>;
  /** Called when downloads of a job may start again. */
  wake: () => void;
  onChange: (job: Job) => void;
  logger: Logger;
}

/** The state of the checks of one job. Times are those of `performance.now`. */
class Look {
  at = -Infinity;
  toldAt = -Infinity;
  timer: Timer | undefined;
  isRunning = false;
  isWanted = false;
  /**
   * Time of the latest failure of a download that no check has taken into account; -Infinity: there is none.
   */
  failedAt = -Infinity;
  /** Downloads that failed before this time do not stop the job. */
  reopenedAt = -Infinity;

  get isIdle(): boolean {
    return !this.isRunning && this.timer === undefined;
  }
}

/** The number of jobs whose last check is remembered. */
const MOST_REMEMBERED = 1_000;

/**
 * Checks jobs whose downloads changed: computes their status, records it, and reports it. When a job expires,
 * its queued downloads are ended.
 */
export class JobWatch {
  readonly #looks = new Map<string, Look>();
  #expiryTimer: Timer | undefined;
  /** Jobs that expired up to this time, in ms since 1970, have been handled. */
  #expiredUpTo = Date.now();
  #stopped = false;

  constructor(private readonly options: JobWatchOptions) {}

  /**
   * Checks a job soon, because the job or one of its downloads changed.
   * @param failedAt when a download failed. The job may then have to stop, so it is checked without delay.
   *   -Infinity: no download failed
   * @param after shortest delay of the check, in ms
   */
  downloadChanged(jobId: string, { failedAt = -Infinity, after = 0 } = {}): void {
    if (this.#stopped) return;
    const look = this.#lookOf(jobId);
    look.failedAt = Math.max(look.failedAt, failedAt);
    const hasFailed = failedAt > look.reopenedAt;
    if (look.isRunning) {
      look.isWanted = true;
      return;
    }
    if (look.timer && !hasFailed) return;
    const wait = Math.max(after, hasFailed ? 0 : look.at + LOOK_EVERY_MS - performance.now());
    clearTimeout(look.timer);
    look.timer = undefined;
    if (wait > 0) look.timer = setTimeout(() => this.#look(jobId, look), wait);
    else this.#look(jobId, look);
  }

  /**
   * Forgets the failures that a job's downloads had up to now. Called when the job is reopened. The report of
   * such a failure may still come, because it waits for a flush.
   */
  forgetFailures(jobId: string): void {
    this.#lookOf(jobId).reopenedAt = performance.now();
  }

  /** Sets a timer for the time at which the next job expires. */
  async scheduleExpiry(): Promise<void> {
    try {
      const at = await this.options.rows.nextExpiry(this.#expiredUpTo);
      clearTimeout(this.#expiryTimer);
      if (at === null || this.#stopped) return;
      const wait = Math.min(Math.max(0, at - Date.now()), LONGEST_WAIT_MS);
      this.#expiryTimer = setTimeout(() => void this.#expire(), wait);
    } catch (error) {
      this.#report(error);
      this.#expiryTimer = setTimeout(() => void this.scheduleExpiry(), AGAIN_AFTER_MS);
    }
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#expiryTimer);
    for (const { timer } of this.#looks.values()) clearTimeout(timer);
  }

  async #expire(): Promise<void> {
    const now = Date.now();
    try {
      const isNew = ({ expiresAt }: Job) => expiresAt !== null && expiresAt > this.#expiredUpTo;
      const open = await this.options.rows.open();
      for (const job of open.filter((one) => hasExpired(one, now) && isNew(one))) {
        await this.options.settle(job.jobId);
      }
      // `#expiredUpTo` never decreases, so that no job expires twice if the clock is put back.
      this.#expiredUpTo = Math.max(this.#expiredUpTo, now);
    } catch (error) {
      this.#report(error);
    }
    await this.scheduleExpiry();
  }

  #lookOf(jobId: string): Look {
    const known = this.#looks.get(jobId);
    if (known) return known;
    if (this.#looks.size >= MOST_REMEMBERED) {
      for (const [other, look] of this.#looks) if (look.isIdle) this.#looks.delete(other);
    }
    const look = new Look();
    this.#looks.set(jobId, look);
    return look;
  }

  #look(jobId: string, look: Look): void {
    look.timer = undefined;
    look.isRunning = true;
    look.isWanted = false;
    void this.#lookAt(jobId, look);
  }

  async #lookAt(jobId: string, look: Look): Promise<void> {
    let after: number | null = AGAIN_AFTER_MS;
    const { failedAt } = look;
    try {
      after = await this.#judge(jobId, look);
    } catch (error) {
      // The failed download was not taken into account, so the next check has to do it.
      look.failedAt = Math.max(look.failedAt, failedAt);
      this.#report(error, jobId);
    }
    look.isRunning = false;
    look.at = performance.now();
    if (look.isWanted) this.downloadChanged(jobId, { failedAt: look.failedAt });
    else if (after !== null) this.downloadChanged(jobId, { after });
  }

  /**
   * Computes, records and reports the status of a job.
   * @returns delay in ms until the next check; null: the next check comes with the next change
   */
  async #judge(jobId: string, look: Look): Promise<number | null> {
    const { rows, logger } = this.options;
    const { failedAt } = look;
    look.failedAt = -Infinity;
    const job = await rows.get(jobId);
    if (!job || this.#stopped) return null;
    const totals = await rows.totals(jobId, null);
    const now = Date.now();
    const stops = failedAt > look.reopenedAt && hasToStop(job, totals);
    const status = stops ? "stopped" : statusOf(job, totals, now);
    let after = job;
    if (status !== job.status) {
      const endedAt = isEnded({ status }) ? now : null;
      const written = await rows.replace({
        ...job,
        status,
        endedAt,
        unsettled: job.unsettled || stops,
      });
      if (!written) {
        look.failedAt = Math.max(look.failedAt, failedAt);
        return 0;
      }
      after = written;
      logger.info(`job ${status}`, { job_id: jobId });
      if (status === "running") this.options.wake();
    }
    if (!job.unsettled && isToSettle(after, totals.counts.queued, now)) {
      this.options.settle(jobId).catch((error: unknown) => this.#report(error, jobId));
    }
    return this.#tell(after, look, totals.counts.downloading > 0);
  }

  #tell(job: Job, look: Look, isProgressing: boolean): number | null {
    const wait = look.toldAt + LOOK_EVERY_MS - performance.now();
    if (wait > 0) return wait;
    look.toldAt = performance.now();
    this.options.onChange(job);
    return isProgressing ? PROGRESS_EVERY_MS : null;
  }

  #report(error: unknown, jobId?: string): void {
    if (this.#stopped) return;
    this.options.logger.error("a job was interrupted", { job_id: jobId }, error);
  }
}
