import type { Logger } from "../../util/logger.ts";
import type { Job, JobRows } from "../job.ts";
import { isToSettle } from "./settling.ts";
import { hasExpired, hasToStop, isEnded, statusOf } from "./status.ts";

/** Shortest time between two looks at a job, and between two events about it, in ms. */
const LOOK_EVERY_MS = 250;

/** Longest time between two events about a job while bytes arrive, in ms. */
const PROGRESS_EVERY_MS = 1_000;

/** Delay of the next try after an error of the database, in ms. */
const AGAIN_AFTER_MS = 5_000;

/** Longest timer, in ms, as the clock may be set meanwhile. */
const LONGEST_WAIT_MS = 60_000;

export interface JobWatchOptions {
  rows: JobRows;
  settle: (jobId: string) => Promise<void>;
  /** Called when a job lets its downloads start again. */
  wake: () => void;
  onChange: (job: Job) => void;
  logger: Logger;
}

/** The looks at a job. Times are those of `performance.now`. */
class Look {
  at = -Infinity;
  toldAt = -Infinity;
  timer: Timer | undefined;
  isRunning = false;
  isWanted = false;
  /** True: a download failed since the last look. */
  hasFailed = false;

  get isIdle(): boolean {
    return !this.isRunning && this.timer === undefined;
  }
}

/** Jobs whose last look is remembered. */
const MOST_REMEMBERED = 1_000;

/**
 * Looks at jobs whose downloads changed: computes their status, records it, and reports it. It also wakes
 * when a job expires.
 */
export class JobWatch {
  readonly #looks = new Map<string, Look>();
  #expiryTimer: Timer | undefined;
  /** The time up to which expired jobs have been settled, ms since 1970. */
  #expiredUpTo = Date.now();
  #stopped = false;

  constructor(private readonly options: JobWatchOptions) {}

  /**
   * A job or one of its downloads changed.
   * @param hasFailed a download failed, so a job that may have to stop is looked at without delay
   * @param after delay in ms
   */
  downloadChanged(jobId: string, { hasFailed = false, after = 0 } = {}): void {
    if (this.#stopped) return;
    const look = this.#lookOf(jobId);
    look.hasFailed ||= hasFailed;
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

  /** Waits until the next job expires. */
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
      // If the clock is put back, no job expires a second time.
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
    try {
      after = await this.#judge(jobId, look);
    } catch (error) {
      this.#report(error, jobId);
    }
    look.isRunning = false;
    look.at = performance.now();
    const { hasFailed } = look;
    if (look.isWanted) this.downloadChanged(jobId, { hasFailed });
    else if (after !== null) this.downloadChanged(jobId, { after });
  }

  /** @returns delay in ms until the next look, whatever happens; null: look when something happens */
  async #judge(jobId: string, look: Look): Promise<number | null> {
    const { rows, logger } = this.options;
    const { hasFailed } = look;
    look.hasFailed = false;
    const job = await rows.get(jobId);
    if (!job || this.#stopped) return null;
    const totals = await rows.totals(jobId, null);
    const now = Date.now();
    const stops = hasFailed && hasToStop(job, totals);
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
      look.hasFailed ||= hasFailed;
      if (!written) return 0;
      look.hasFailed = false;
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
