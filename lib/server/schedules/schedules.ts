import { FdsError } from "../../protocol/errors.ts";
import type { InTurn } from "../../util/fair-turns.ts";
import type { Logger } from "../../util/logger.ts";
import type { Caller } from "../access/caller.ts";
import type { Sites } from "../access/sites.ts";
import { timeZoneOf } from "../clients/time-zone.ts";
import type { Repository } from "../database/repository.ts";
import type { Download } from "../download.ts";
import { SelectedClients } from "../jobs/choice.ts";
import type { Selection } from "../job.ts";
import type { Jobs } from "../jobs/jobs.ts";
import type {
  Delivery,
  DeliveryCounts,
  DeliveryFilter,
  Schedule,
  ScheduleFilter,
} from "../schedule.ts";
import { type Board, type BoardFilter, boardOf } from "./board.ts";
import { Clockwork } from "./clockwork.ts";
import { Deliveries } from "./deliveries.ts";
import { Forgetting } from "./forgetting.ts";
import { Occurrences } from "./occurrences.ts";
import type { NewSchedule, ScheduleChange, Timing } from "./order.ts";
import { RequestedRuns, type Run, type RunJob } from "./running.ts";
import { Timetable } from "./timetable.ts";

export interface SchedulesOptions {
  repository: Pick<
    Repository,
    "access" | "deliveries" | "getClient" | "jobs" | "listClients" | "schedules"
  >;
  jobs: Pick<Jobs, "createFor">;
  /** How long deliveries are kept, in ms. */
  keep: number;
  /** Returns the current time, in ms since 1970. */
  now?: () => number;
  logger: Logger;
}

/** Delay after an error until unfinished runs are tried again, in ms. */
const RETRY_AFTER_MS = 5_000;

/** Limit on the number of schedules. */
const MAX_SCHEDULES = 1_000;

/**
 * Creates, changes and runs schedules, which make jobs at their times and expect a delivery from each client.
 */
export class Schedules {
  readonly #timetable: Timetable;
  readonly #deliveries: Deliveries;
  readonly #requestedRuns: RequestedRuns;
  readonly #forgetting: Forgetting;
  readonly clockwork: Clockwork;
  readonly #now: () => number;

  constructor(private readonly options: SchedulesOptions) {
    const { repository, keep, logger, now = Date.now } = options;
    this.#now = now;
    this.#timetable = new Timetable(repository);
    const { deliveries: rows, schedules } = repository;
    this.#deliveries = new Deliveries({ rows, schedules, now, logger });
    const occurrences = new Occurrences(options);
    this.#requestedRuns = new RequestedRuns({ repository, occurrences });
    this.#forgetting = new Forgetting({ rows: schedules, keep, now, logger });
    this.clockwork = new Clockwork({
      repository,
      timetable: this.#timetable,
      occurrences,
      deliveries: this.#deliveries,
      pause: (schedule) => this.#pauseTokenEnded(schedule),
      now,
      logger,
    });
  }

  /** Continues unfinished work of an earlier process, and starts to run schedules. */
  async recover(): Promise<void> {
    await this.#timetable.mend(this.#now());
    this.clockwork.start();
    this.takeUp();
    this.#forgetting.start();
  }

  stop(): void {
    this.clockwork.stop();
    this.#deliveries.stop();
    this.#forgetting.stop();
  }

  /** Creates a schedule. @throws FdsError `invalid_request`, `client_not_found` */
  async create({ isPaused, ...order }: NewSchedule, caller: Caller): Promise<Schedule> {
    const { schedules } = this.options.repository;
    await this.requireClients(order.plan.selection, caller.sites);
    if ((await schedules.count()) >= MAX_SCHEDULES) {
      const message = `Delete a schedule first, there are ${MAX_SCHEDULES}, and no more can be`;
      throw new FdsError("invalid_request", message);
    }
    const now = this.#now();
    const schedule: Schedule = {
      ...order,
      scheduleId: Bun.randomUUIDv7(),
      paused: isPaused ? "by_hand" : null,
      since: now,
      timing: 1,
      createdAt: now,
      createdBy: caller.name,
      createdWith: caller.tokenHash,
      revision: 1,
    };
    if (!(await schedules.insert(schedule))) {
      const message = `Choose another name, there is a schedule "${order.name}"`;
      throw new FdsError("invalid_request", message);
    }
    await this.#timetable.add(schedule, now);
    this.clockwork.wake();
    return schedule;
  }

  /** Returns the schedule with this name. @throws FdsError `schedule_not_found` */
  async get(name: string): Promise<Schedule> {
    const schedule = await this.options.repository.schedules.get(name);
    if (!schedule) throw scheduleNotFound();
    return schedule;
  }

  /** Lists schedules, sorted by name. */
  list(filter: ScheduleFilter): Promise<Schedule[]> {
    return this.options.repository.schedules.list(filter);
  }

  /** Changes a schedule. @throws FdsError `schedule_not_found`, `invalid_request`, `client_not_found` */
  async change(name: string, { isPaused, ...changes }: ScheduleChange, sites: Sites | null) {
    if (changes.plan) await this.requireClients(changes.plan.selection, sites);
    const now = this.#now();
    const schedule = await this.#replace(name, (before) => {
      const next = { ...before, ...changes };
      const isTimeChanged = next.cron !== before.cron || next.timeZone !== before.timeZone;
      if (isPaused === true) next.paused ??= "by_hand";
      if (isPaused === false) next.paused = null;
      // Times before this change, or before the end of a pause, are not run late.
      if (isTimeChanged || (before.paused && !next.paused)) next.since = now;
      return { ...next, timing: before.timing + Number(isTimeChanged) };
    });
    await this.#timetable.add(schedule, now);
    this.clockwork.wake();
    return schedule;
  }

  /**
   * Removes a schedule with its deliveries. Its jobs and downloads stay.
   * @throws FdsError `schedule_not_found`
   */
  async remove(name: string): Promise<Schedule> {
    const schedule = await this.get(name);
    await this.options.repository.schedules.remove(schedule.scheduleId);
    this.#forgetting.forgetSoon();
    return schedule;
  }

  /**
   * Returns when a schedule runs next: in its own time zone, or in any zone of the clients that the caller
   * may see.
   * @returns ms since 1970; null: the schedule is paused, or does not run again in these zones
   */
  async nextAt(schedule: Schedule, sites: Sites | null): Promise<number | null> {
    const { scheduleId, paused, timing } = schedule;
    if (paused) return null;
    const all = await this.options.repository.schedules.times(scheduleId);
    const times = all.filter((time) => time.timing === timing).toSorted((a, b) => a.at - b.at);
    const zones = new Set<string>();
    const next = () => times.find(({ timeZone }) => zones.has(timeZone))?.at ?? null;
    for await (const zone of this.#zones(schedule, sites)) {
      zones.add(zone);
      // Stops at the earliest next time of all zones, as no further zone can have an earlier one.
      if (next() === times[0]?.at) break;
    }
    return next();
  }

  /** Returns a schedule's own time zone, or the zones of its clients that the caller may see, sorted. */
  async zonesOf(schedule: Timing, sites: Sites | null): Promise<string[]> {
    const zones = new Set<string>();
    for await (const zone of this.#zones(schedule, sites)) zones.add(zone);
    return [...zones].toSorted();
  }

  /** Yields the schedule's own time zone, or else the zone of each of its clients, with repetitions. */
  async *#zones({ timeZone, plan }: Timing, sites: Sites | null): AsyncGenerator<string> {
    if (timeZone !== null) return yield timeZone;
    const selected = new SelectedClients(plan.selection, this.options.repository);
    for await (const page of selected.clients(sites)) {
      for (const client of page) yield timeZoneOf(client);
    }
  }

  /**
   * Runs a schedule now, or again for one of its past times.
   * @throws FdsError `invalid_request`, `client_not_found`
   */
  async run(schedule: Schedule, order: Run): Promise<RunJob[]> {
    try {
      return await this.#requestedRuns.run(schedule, order, this.#now());
    } catch (error) {
      // The run is recorded in the database, so its jobs can be made later.
      if (!(error instanceof FdsError)) this.#takeUpRunsLater();
      throw error;
    } finally {
      this.clockwork.wake();
    }
  }

  /** Lists the deliveries of a schedule, newest local time first. */
  deliveries(schedule: Schedule, filter: DeliveryFilter, inTurn: InTurn): Promise<Delivery[]> {
    return this.options.repository.deliveries.list(schedule.scheduleId, filter, inTurn);
  }

  /** Returns a schedule's local times, newest first, each with its clients grouped by delivery status. */
  board(schedule: Schedule, filter: BoardFilter, inTurn: InTurn): Promise<Board> {
    return boardOf(this.options.repository.deliveries, schedule.scheduleId, filter, inTurn);
  }

  /** Returns the number of deliveries by status at the schedule's newest local time; null: there are none. */
  latest({ scheduleId }: Schedule, sites: Sites | null): Promise<DeliveryCounts | null> {
    return this.options.repository.deliveries.latest(scheduleId, sites);
  }

  /** Notes that a download is new, or that its status changed. */
  downloadChanged({ jobId, clientId }: Pick<Download, "clientId" | "jobId">): void {
    if (jobId !== null) this.#deliveries.downloadChanged(jobId, clientId);
  }

  /**
   * Called at startup, and when another server has ended. Finishes requested runs that are not complete, and
   * updates deliveries that are not fulfilled, as messages about their downloads may have been lost.
   */
  takeUp(): void {
    this.#inBackground(() => this.#requestedRuns.takeUp(this.#now()));
    this.#inBackground(() => this.#deliveries.updateOpen());
  }

  #takeUpRunsLater(): void {
    const takeUp = () => this.#requestedRuns.takeUp(this.#now());
    setTimeout(() => this.#inBackground(takeUp), RETRY_AFTER_MS).unref();
  }

  /** Notes that a client registered, or that its time zone changed. */
  clientSeen(clientId: string): void {
    this.#inBackground(async () => {
      const client = await this.options.repository.getClient(clientId);
      if (!client) return;
      const isNew = await this.#timetable.zoneSeen(timeZoneOf(client), this.#now());
      if (isNew) this.clockwork.wake();
    });
  }

  /** Pauses all schedules that an ended token made, until somebody resumes them. */
  async tokenEnded(tokenHash: string): Promise<void> {
    for (let after: string | undefined, isMore = true; isMore;) {
      const page = await this.list({ after, limit: 200 });
      for (const one of page) if (one.createdWith === tokenHash) await this.#pauseTokenEnded(one);
      after = page.at(-1)?.name;
      isMore = page.length === 200;
    }
  }

  async #pauseTokenEnded({ name }: Schedule): Promise<void> {
    const schedule = await this.#replace(name, (before) => ({ ...before, paused: "token_ended" }));
    this.options.logger.warn("a schedule is paused, as the token that made it ended", {
      schedule: schedule.name,
    });
  }

  /** Changes a schedule by compare-and-set, and retries while other changes come first. */
  async #replace(name: string, make: (schedule: Schedule) => Schedule): Promise<Schedule> {
    for (;;) {
      const after = await this.options.repository.schedules.replace(make(await this.get(name)));
      if (after) return after;
    }
  }

  /** Checks that each client named in a selection exists. @throws FdsError `client_not_found` */
  async requireClients(selection: Selection, sites: Sites | null): Promise<void> {
    const selected = new SelectedClients(selection, this.options.repository);
    for await (const _ of selected.clients(sites));
    await selected.requireKnown();
  }

  #inBackground(work: () => Promise<void>): void {
    work().catch((error: unknown) =>
      this.options.logger.error("schedules were interrupted", {}, error),
    );
  }
}

/** Returns the error for an unknown schedule, or one that the caller may not see. */
export function scheduleNotFound(): FdsError {
  return new FdsError("schedule_not_found", "There is no schedule of this name");
}
