import { eventLoopBudget } from "../../util/event-loop-budget.ts";
import type { Logger } from "../../util/logger.ts";
import type { ScheduleRows } from "../schedule.ts";

/** How often deliveries that are too old are removed, in ms. */
const EVERY_MS = 3_600_000;

/** Schedules that are read in one query. */
const PAGE = 200;

/** Upper bound of the difference between any local time and UTC, in ms. */
const MAX_UTC_OFFSET_MS = 86_400_000;

export interface ForgettingOptions {
  rows: Pick<ScheduleRows, "forget" | "forgetBefore" | "list">;
  /** How long deliveries are kept, in ms. */
  keep: number;
  /** Returns the current time, in ms since 1970. */
  now: () => number;
  logger: Logger;
}

/** Removes deliveries that are too old, and all rows of removed schedules, in small batches. */
export class Forgetting {
  #timer: Timer | undefined;
  #isRunning = false;
  #isWanted = false;
  #stopped = false;

  constructor(private readonly options: ForgettingOptions) {}

  /** Removes old deliveries and the rows of removed schedules, at once and then every hour. */
  start(): void {
    this.#timer = setInterval(() => this.forgetSoon(), EVERY_MS);
    this.#timer.unref();
    this.forgetSoon();
  }

  /** Removes old deliveries and the rows of removed schedules soon. Called when a schedule was removed. */
  forgetSoon(): void {
    this.#isWanted = true;
    if (!this.#isRunning) void this.#run();
  }

  /**
   * Starts no further removal. A statement that is running is not waited for, as the database may be
   * unreachable.
   */
  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#isWanted && !this.#stopped) {
      this.#isWanted = false;
      try {
        await this.forget();
      } catch (error) {
        if (this.#stopped) return;
        this.options.logger.error("old deliveries cannot be removed", {}, error);
      }
    }
    this.#isRunning = false;
  }

  /** Removes all deliveries that are too old, and all rows of removed schedules. */
  async forget(): Promise<void> {
    const { rows, keep, now } = this.options;
    await this.#repeat(() => rows.forget());
    const before = new Date(now() - keep - MAX_UTC_OFFSET_MS).toISOString().slice(0, 19);
    for (let after: string | undefined, isMore = true; isMore && !this.#stopped;) {
      const page = await rows.list({ after, limit: PAGE });
      for (const { scheduleId } of page) {
        await this.#repeat(() => rows.forgetBefore(scheduleId, before));
      }
      after = page.at(-1)?.name;
      isMore = page.length === PAGE;
    }
  }

  /**
   * Repeats a batched removal until nothing is left.
   * @param removeBatch removes one batch, and returns whether there may be more
   */
  async #repeat(removeBatch: () => Promise<boolean>): Promise<void> {
    while (!this.#stopped && (await eventLoopBudget.run(removeBatch)));
  }
}
