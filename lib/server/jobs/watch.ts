import type { Logger } from "../../util/logger.ts";
import type { Job, JobRows } from "../job.ts";
import { needsSettling } from "./settling.ts";
import { hasExpired, hasToStop, isEnded, statusOf } from "./status.ts";

/** Shortest time between two checks of a job, and between two events about it, in ms. */
const CHECK_EVERY_MS = 250;

/** Longest time between two events about a job while its downloads receive bytes, in ms. */
const PROGRESS_EVERY_MS = 1_000;

/** Delay of the next try after an error of the database, in ms. */
const RETRY_AFTER_MS = 5_000;

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
class JobCheck {
  checkedAt = -Infinity;
  reportedAt = -Infinity;
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

/** Number of jobs in memory above which those without a running or pending check are forgotten. */
const FORGET_ABOVE = 1_000;

/**
 * Checks jobs whose downloads changed: computes their status, records it, and reports it. When a job expires,
 * its queued downloads are ended.
 */
export class JobWatch {
  readonly #checks = new Map<string, JobCheck>();
  #expiryTimer: Timer | undefined;
  /** Jobs that expired up to this time, in ms since 1970, have been handled. */
  #expiredUpTo = Date.now();
  #stopped = false;

  constructor(private readonly options: JobWatchOptions) {}

  /**
   * Checks a job soon, because the job or one of its downloads changed.
   * @param failedAt when a download failed. The job may then have to stop, so it is checked without delay.
   *   -Infinity: no download failed
   * @param minDelay shortest delay of the check, in ms
   */
  downloadChanged(jobId: string, { failedAt = -Infinity, minDelay = 0 } = {}): void {
    if (this.#stopped) return;
    const check = this.#checkOf(jobId);
    check.failedAt = Math.max(check.failedAt, failedAt);
    const hasFailed = failedAt > check.reopenedAt;
    if (check.isRunning) {
      check.isWanted = true;
      return;
    }
    if (check.timer && !hasFailed) return;
    const wait = Math.max(
      minDelay,
      hasFailed ? 0 : check.checkedAt + CHECK_EVERY_MS - performance.now(),
    );
    clearTimeout(check.timer);
    check.timer = undefined;
    if (wait > 0) check.timer = setTimeout(() => this.#startCheck(jobId, check), wait);
    else this.#startCheck(jobId, check);
  }

  /**
   * Forgets the failures that a job's downloads had up to now. Called when the job is reopened. The report of
   * such a failure may still come, because it waits for a flush.
   */
  forgetFailures(jobId: string): void {
    this.#checkOf(jobId).reopenedAt = performance.now();
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
      this.#expiryTimer = setTimeout(() => void this.scheduleExpiry(), RETRY_AFTER_MS);
    }
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#expiryTimer);
    for (const { timer } of this.#checks.values()) clearTimeout(timer);
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

  #checkOf(jobId: string): JobCheck {
    const known = this.#checks.get(jobId);
    if (known) return known;
    if (this.#checks.size >= FORGET_ABOVE) {
      for (const [other, check] of this.#checks) if (check.isIdle) this.#checks.delete(other);
    }
    const check = new JobCheck();
    this.#checks.set(jobId, check);
    return check;
  }

  #startCheck(jobId: string, check: JobCheck): void {
    check.timer = undefined;
    check.isRunning = true;
    check.isWanted = false;
    void this.#check(jobId, check);
  }

  async #check(jobId: string, check: JobCheck): Promise<void> {
    let minDelay: number | null = RETRY_AFTER_MS;
    const { failedAt } = check;
    try {
      minDelay = await this.#updateStatus(jobId, check);
    } catch (error) {
      // The failed download was not taken into account, so the next check has to do it.
      check.failedAt = Math.max(check.failedAt, failedAt);
      this.#report(error, jobId);
    }
    check.isRunning = false;
    check.checkedAt = performance.now();
    if (check.isWanted) this.downloadChanged(jobId, { failedAt: check.failedAt });
    else if (minDelay !== null) this.downloadChanged(jobId, { minDelay });
  }

  /**
   * Computes, records and reports the status of a job.
   * @returns delay in ms until the next check; null: the next check comes with the next change
   */
  async #updateStatus(jobId: string, check: JobCheck): Promise<number | null> {
    const { rows, logger } = this.options;
    const { failedAt } = check;
    check.failedAt = -Infinity;
    const job = await rows.get(jobId);
    if (!job || this.#stopped) return null;
    const totals = await rows.totals(jobId, null);
    const now = Date.now();
    const mustStop = failedAt > check.reopenedAt && hasToStop(job, totals);
    const status = mustStop ? "stopped" : statusOf(job, totals, now);
    let current = job;
    if (status !== job.status) {
      const endedAt = isEnded({ status }) ? now : null;
      const written = await rows.replace({
        ...job,
        status,
        endedAt,
        unsettled: job.unsettled || mustStop,
      });
      if (!written) {
        check.failedAt = Math.max(check.failedAt, failedAt);
        return 0;
      }
      current = written;
      logger.info(`job ${status}`, { job_id: jobId });
      if (status === "running") this.options.wake();
    }
    if (!job.unsettled && needsSettling(current, totals.counts.queued, now)) {
      this.options.settle(jobId).catch((error: unknown) => this.#report(error, jobId));
    }
    return this.#tell(current, check, totals.counts.downloading > 0);
  }

  #tell(job: Job, check: JobCheck, isProgressing: boolean): number | null {
    const wait = check.reportedAt + CHECK_EVERY_MS - performance.now();
    if (wait > 0) return wait;
    check.reportedAt = performance.now();
    this.options.onChange(job);
    return isProgressing ? PROGRESS_EVERY_MS : null;
  }

  #report(error: unknown, jobId?: string): void {
    if (this.#stopped) return;
    this.options.logger.error("a job was interrupted", { job_id: jobId }, error);
  }
}
