import type { Cron } from "../../util/cron.ts";
import { pauses } from "../../util/fair-turns.ts";
import type { Logger } from "../../util/logger.ts";
import { sitesOfMaker } from "../access/maker.ts";
import type { Repository } from "../database/repository.ts";
import type { NextTime, Schedule } from "../schedule.ts";
import type { Deliveries } from "./deliveries.ts";
import type { Occurrences } from "./occurrences.ts";
import { cronOf, type Timetable } from "./timetable.ts";

/**
 * A time of a schedule counts as missed if the server handles it more than this many ms late. Smaller delays
 * come from a busy or starting server.
 */
const MISSED_AFTER_MS = 60_000;

/**
 * Limit on the missed times of a schedule that are run late in one time zone. Only the latest ones are run.
 */
const MAX_LATE_RUNS = 100;

/** Due times that are handled before the list of due times is read again. */
const PAGE = 50;

/** Longest sleep of the timer, in ms. A change of the system's clock is noticed within this time. */
const LONGEST_WAIT_MS = 60_000;

/** Delay after an error until the next try, in ms. */
const RETRY_AFTER_MS = 5_000;

export interface ClockworkOptions {
  repository: Pick<Repository, "access" | "deliveries" | "schedules">;
  timetable: Timetable;
  occurrences: Occurrences;
  deliveries: Pick<Deliveries, "updateDue">;
  /**
   * Called when the token that made a schedule is no longer valid. The schedule is then paused until somebody
   * resumes it.
   */
  pause: (schedule: Schedule) => Promise<void>;
  /** Returns the current time, in ms since 1970. */
  now: () => number;
  logger: Logger;
}

/**
 * Runs schedules at their times, and sleeps until the next time is due. Times missed while the server was
 * down are run late, as far as the schedule allows. If the system's clock is changed, no time is run twice.
 */
export class Clockwork {
  #timer: Timer | undefined;
  #isRunning = false;
  #isWanted = false;
  #stopped = true;
  /** The time of the last step, in ms since 1970. It shows whether the clock was set back since then. */
  #lastStepAt = -Infinity;

  constructor(private readonly options: ClockworkOptions) {}

  start(): void {
    this.#stopped = false;
    this.wake();
  }

  /** Checks for due times now, as the next one may have changed. */
  wake(): void {
    if (this.#stopped) return;
    this.#isWanted = true;
    if (!this.#isRunning) void this.#run();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Makes the jobs and updates the deliveries that are due at the given time, in ms since 1970. */
  async step(now: number): Promise<void> {
    const { repository, timetable, deliveries } = this.options;
    if (now < this.#lastStepAt) await timetable.mend(now);
    this.#lastStepAt = now;
    const failures: unknown[] = [];
    for (let isMore = true; isMore && failures.length === 0;) {
      const due = await repository.schedules.dueTimes(now, PAGE);
      for (const time of due) {
        await this.#tick(time, now).catch((error: unknown) => void failures.push(error));
      }
      isMore = due.length > 0;
    }
    await deliveries.updateDue(now);
    if (failures.length > 0) throw failures[0];
  }

  async #run(): Promise<void> {
    clearTimeout(this.#timer);
    this.#isRunning = true;
    let wait = RETRY_AFTER_MS;
    try {
      while (this.#isWanted && !this.#stopped) {
        this.#isWanted = false;
        await this.step(this.options.now());
      }
      wait = await this.#untilNext();
    } catch (error) {
      if (this.#stopped) return;
      this.options.logger.error("schedules were interrupted", {}, error);
    }
    this.#isRunning = false;
    if (this.#stopped) return;
    if (this.#isWanted) return void this.#run();
    this.#timer = setTimeout(() => this.wake(), wait);
  }

  async #untilNext(): Promise<number> {
    const { schedules, deliveries } = this.options.repository;
    const times = [await schedules.nextAt(), await deliveries.nextDue()];
    const next = Math.min(...times.map((at) => at ?? Infinity));
    return Math.min(LONGEST_WAIT_MS, Math.max(0, next - this.options.now()));
  }

  /** Makes the job of a due time, and stores the schedule's next time in the same time zone. */
  async #tick(time: NextTime, now: number): Promise<void> {
    const { repository, occurrences } = this.options;
    const { schedules } = repository;
    const schedule = await schedules.byId(time.scheduleId);
    // Skips a schedule that is being removed, or was paused meanwhile.
    if (!schedule || schedule.paused) return;
    const { timing, since } = schedule;
    const { timeZone, at } = time;
    if (schedule.timeZone !== null && schedule.timeZone !== timeZone) {
      return schedules.moveTime(time, null, timing);
    }
    const cron = cronOf(schedule);
    const moveBehind = async (after: number) =>
      schedules.moveTime(time, cron.next(timeZone, after)?.at ?? null, timing);
    if (time.timing !== timing) return moveBehind(Math.max(now, since));
    if (at < since) return moveBehind(since);
    const firstAt = await firstTimeToRun(cron, time, schedule, now);
    if (firstAt > at) {
      const about = { schedule: schedule.name, time_zone: timeZone };
      const missed = { from: new Date(at).toISOString(), up_to: new Date(firstAt).toISOString() };
      this.options.logger.warn("times of a schedule were missed", { ...about, ...missed });
      return moveBehind(firstAt - 1);
    }
    const sites = await sitesOfMaker(schedule.createdWith, repository.access);
    if (sites === "none") return this.options.pause(schedule);
    const next = cron.next(timeZone, at - 1);
    // The rules of the time zone may have changed since the time was computed, so that it is no longer valid.
    if (next?.at !== at) return moveBehind(at - 1);
    for (const localTime of next.localTimes) {
      await occurrences.make(schedule, { timeZone, at, localTime }, sites, now);
    }
    await moveBehind(at);
  }
}

/**
 * Returns the first time of a schedule that should run, in ms since 1970; a time after `now` if none should.
 * Times that were missed for longer than the schedule allows are skipped. Of the others, only the latest
 * {@link MAX_LATE_RUNS} run.
 */
async function firstTimeToRun(
  cron: Cron,
  { timeZone, at }: NextTime,
  { catchUpMs }: Schedule,
  now: number,
): Promise<number> {
  const pause = pauses();
  const oldest = now - Math.max(catchUpMs, MISSED_AFTER_MS);
  const latest = at >= oldest ? [at] : [];
  const from = Math.max(at, oldest - 1);
  for (let next = cron.next(timeZone, from); next; next = cron.next(timeZone, next.at)) {
    if (next.at > now) break;
    await pause();
    latest.push(next.at);
    if (latest.length > MAX_LATE_RUNS) latest.shift();
  }
  return latest[0] ?? now + 1;
}
