import { FdsError } from "../../protocol/errors.ts";
import type { InTurn } from "../../util/fair-turns.ts";
import type { Logger } from "../../util/logger.ts";
import type { Caller } from "../access/caller.ts";
import type { Sites } from "../access/sites.ts";
import { timeZoneOf } from "../clients/time-zone.ts";
import type { Repository } from "../database/repository.ts";
import type { Download } from "../download.ts";
import { Choice } from "../jobs/choice.ts";
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
import { Running, type Run, type RunJob } from "./running.ts";
import { Timetable } from "./timetable.ts";

export interface SchedulesOptions {
  repository: Pick<
    Repository,
    "access" | "deliveries" | "getClient" | "jobs" | "listClients" | "schedules"
  >;
  jobs: Pick<Jobs, "createFor">;
  /** How long deliveries are kept, in ms. */
  keep: number;
  /** ms since 1970. */
  now?: () => number;
  logger: Logger;
}

/** Time after an error until unfinished runs are taken up, in ms. */
const AGAIN_AFTER_MS = 5_000;

/** Most schedules. */
const MOST_SCHEDULES = 1_000;

/** Schedules: jobs at their times, and the resulting deliveries. */
export class Schedules {
  readonly #timetable: Timetable;
  readonly #deliveries: Deliveries;
  readonly #running: Running;
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
    this.#running = new Running({ repository, occurrences });
    this.#forgetting = new Forgetting({ rows: schedules, keep, now, logger });
    this.clockwork = new Clockwork({
      repository,
      timetable: this.#timetable,
      occurrences,
      deliveries: this.#deliveries,
      pause: (schedule) => this.#pauseForGood(schedule),
      now,
      logger,
    });
  }

  /** Takes over what an earlier process left, and starts the clockwork. */
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

  /** @throws FdsError `invalid_request`, `client_not_found` */
  async create({ isPaused, ...order }: NewSchedule, caller: Caller): Promise<Schedule> {
    const { schedules } = this.options.repository;
    await this.requireClients(order.plan.selection, caller.sites);
    if ((await schedules.count()) >= MOST_SCHEDULES) {
      const message = `Delete a schedule first, there are ${MOST_SCHEDULES}, and no more can be`;
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

  /** @throws FdsError `schedule_not_found` */
  async get(name: string): Promise<Schedule> {
    const schedule = await this.options.repository.schedules.get(name);
    if (!schedule) throw scheduleNotFound();
    return schedule;
  }

  /** By name. */
  list(filter: ScheduleFilter): Promise<Schedule[]> {
    return this.options.repository.schedules.list(filter);
  }

  /** @throws FdsError `schedule_not_found`, `invalid_request`, `client_not_found` */
  async change(name: string, { isPaused, ...changes }: ScheduleChange, right: Sites | null) {
    if (changes.plan) await this.requireClients(changes.plan.selection, right);
    const now = this.#now();
    const schedule = await this.#replace(name, (before) => {
      const next = { ...before, ...changes };
      const isOtherTime = next.cron !== before.cron || next.timeZone !== before.timeZone;
      if (isPaused === true) next.paused ??= "by_hand";
      if (isPaused === false) next.paused = null;
      // Earlier times are not made up for.
      if (isOtherTime || (before.paused && !next.paused)) next.since = now;
      return { ...next, timing: before.timing + Number(isOtherTime) };
    });
    await this.#timetable.add(schedule, now);
    this.clockwork.wake();
    return schedule;
  }

  /**
   * Removes a schedule with its deliveries; jobs and downloads stay.
   * @throws FdsError `schedule_not_found`
   */
  async remove(name: string): Promise<Schedule> {
    const schedule = await this.get(name);
    await this.options.repository.schedules.remove(schedule.scheduleId);
    this.#forgetting.soon();
    return schedule;
  }

  /**
   * Its next time in the zones of its clients, as far as the caller may see them.
   * @returns ms since 1970; null: none, or it is paused
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
      // No other client has an earlier one.
      if (next() === times[0]?.at) break;
    }
    return next();
  }

  /** Zones of its clients, as far as the caller may see them. */
  async zonesOf(schedule: Timing, sites: Sites | null): Promise<string[]> {
    const zones = new Set<string>();
    for await (const zone of this.#zones(schedule, sites)) zones.add(zone);
    return [...zones].toSorted();
  }

  /** The zone of each of its clients, or the one that it has itself. */
  async *#zones({ timeZone, plan }: Timing, sites: Sites | null): AsyncGenerator<string> {
    if (timeZone !== null) return yield timeZone;
    const choice = new Choice(plan.selection, this.options.repository);
    for await (const page of choice.clients(sites)) {
      for (const client of page) yield timeZoneOf(client);
    }
  }

  /**
   * Runs a schedule now, or again for one of its times.
   * @throws FdsError `invalid_request`, `client_not_found`
   */
  async run(schedule: Schedule, order: Run): Promise<RunJob[]> {
    try {
      return await this.#running.run(schedule, order, this.#now());
    } catch (error) {
      // The run is written down, so it is finished later.
      if (!(error instanceof FdsError)) this.#takeUpRunsLater();
      throw error;
    } finally {
      this.clockwork.wake();
    }
  }

  /** Its deliveries, newest local time first. */
  deliveries(schedule: Schedule, filter: DeliveryFilter, inTurn: InTurn): Promise<Delivery[]> {
    return this.options.repository.deliveries.list(schedule.scheduleId, filter, inTurn);
  }

  /** The clients by status, newest local time first. */
  board(schedule: Schedule, filter: BoardFilter, inTurn: InTurn): Promise<Board> {
    return boardOf(this.options.repository.deliveries, schedule.scheduleId, filter, inTurn);
  }

  /** The counts of its newest local time. */
  latest({ scheduleId }: Schedule, sites: Sites | null): Promise<DeliveryCounts | null> {
    return this.options.repository.deliveries.latest(scheduleId, sites);
  }

  /** A download is new, or its status changed. */
  downloadChanged({ jobId, clientId }: Pick<Download, "clientId" | "jobId">): void {
    if (jobId !== null) this.#deliveries.downloadChanged(jobId, clientId);
  }

  /** Another server has ended: its hints about downloads may be lost, and its runs unfinished. */
  takeUp(): void {
    this.#inBackground(() => this.#running.takeUp(this.#now()));
    this.#inBackground(() => this.#deliveries.lookAtOpen());
  }

  #takeUpRunsLater(): void {
    const takeUp = () => this.#running.takeUp(this.#now());
    setTimeout(() => this.#inBackground(takeUp), AGAIN_AFTER_MS).unref();
  }

  /** A client registered, or its time zone changed. */
  clientSeen(clientId: string): void {
    this.#inBackground(async () => {
      const client = await this.options.repository.getClient(clientId);
      if (!client) return;
      const isNew = await this.#timetable.zoneSeen(timeZoneOf(client), this.#now());
      if (isNew) this.clockwork.wake();
    });
  }

  /** A token has ended: its schedules are paused until somebody resumes them. */
  async tokenEnded(tokenHash: string): Promise<void> {
    for (let after: string | undefined, isMore = true; isMore;) {
      const page = await this.list({ after, limit: 200 });
      for (const one of page) if (one.createdWith === tokenHash) await this.#pauseForGood(one);
      after = page.at(-1)?.name;
      isMore = page.length === 200;
    }
  }

  async #pauseForGood({ name }: Schedule): Promise<void> {
    const schedule = await this.#replace(name, (before) => ({ ...before, paused: "token_ended" }));
    this.options.logger.warn("a schedule is paused, as the token that made it ended", {
      schedule: schedule.name,
    });
  }

  /** Compare and set, repeated while other changes come first. */
  async #replace(name: string, make: (schedule: Schedule) => Schedule): Promise<Schedule> {
    for (;;) {
      const after = await this.options.repository.schedules.replace(make(await this.get(name)));
      if (after) return after;
    }
  }

  /** Checks that each named client exists. @throws FdsError `client_not_found` */
  async requireClients(selection: Selection, sites: Sites | null): Promise<void> {
    const choice = new Choice(selection, this.options.repository);
    for await (const _ of choice.clients(sites));
    await choice.requireKnown();
  }

  #inBackground(work: () => Promise<void>): void {
    work().catch((error: unknown) =>
      this.options.logger.error("schedules were interrupted", {}, error),
    );
  }
}

/** The answer for a name without a schedule, or with one that the caller may not see. */
export function scheduleNotFound(): FdsError {
  return new FdsError("schedule_not_found", "There is no schedule of this name");
}
