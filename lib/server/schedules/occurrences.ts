import { nextRound, pauses } from "../../util/fair-turns.ts";
import type { Sites } from "../access/sites.ts";
import { timeZoneOf } from "../clients/time-zone.ts";
import type { Repository } from "../database/repository.ts";
import type { JobPlan } from "../job.ts";
import { SelectedClients } from "../jobs/choice.ts";
import type { Jobs } from "../jobs/jobs.ts";
import type { Delivery, Schedule } from "../schedule.ts";
import { dueAt, type OccurrenceTime } from "./due.ts";
import { cronOf } from "./timetable.ts";

/** Deliveries that are read in one query, before other work of the event loop runs. */
const PAGE = 200;

/** Deliveries that are inserted by one statement, which takes about a millisecond. */
const INSERTED_AT_ONCE = 50;

export interface OccurrencesOptions {
  repository: Pick<Repository, "deliveries" | "getClient" | "listClients" | "schedules">;
  jobs: Pick<Jobs, "createFor">;
}

/** A request to the clients of a schedule for one of its times. */
export interface OccurrenceRequest {
  schedule: Schedule;
  time: OccurrenceTime;
  jobId: string;
  now: number;
}

/**
 * Makes the jobs of schedules at their times. Each step is one conditional statement that may be repeated, by
 * this server or another one. Each local time gets one job in each zone, and one delivery for each client.
 */
export class Occurrences {
  constructor(private readonly options: OccurrencesOptions) {}

  /**
   * Makes the job for one time of a schedule, and its deliveries, unless this was done before.
   * @param sites the clients that the schedule's maker may see; null: all
   */
  async make(
    schedule: Schedule,
    time: OccurrenceTime,
    sites: Sites | null,
    now: number,
  ): Promise<void> {
    const { schedules } = this.options.repository;
    const { scheduleId } = schedule;
    const scheduledJob = { ...time, scheduleId, jobId: Bun.randomUUIDv7(), isMade: false };
    const recorded = await schedules.begin(scheduledJob);
    if (recorded.isMade) return;
    const request = { schedule, time, jobId: recorded.jobId, now };
    for await (const clientIds of this.clientsOf(schedule, sites, time.timeZone)) {
      await this.insertDeliveries(request, clientIds);
    }
    await this.createJob(request);
    await schedules.finish(recorded);
  }

  /**
   * Yields the clients of a schedule, in batches.
   * @param timeZone yields only clients in this zone, if the schedule uses the clients' own zones
   */
  async *clientsOf(
    { plan, timeZone: scheduleZone }: Schedule,
    sites: Sites | null,
    timeZone: string,
  ): AsyncGenerator<string[]> {
    const selected = new SelectedClients(plan.selection, this.options.repository);
    for await (const page of selected.clients(sites)) {
      const inZone =
        scheduleZone === null ? page.filter((one) => timeZoneOf(one) === timeZone) : page;
      if (inZone.length > 0) yield inZone.map(({ clientId }) => clientId);
    }
  }

  /** Inserts the deliveries of clients for one time of a schedule, unless they exist already. */
  async insertDeliveries(
    { schedule, time, jobId, now }: OccurrenceRequest,
    clientIds: readonly string[],
  ): Promise<void> {
    const { deliveries } = this.options.repository;
    const { scheduleId, name, overlap, due } = schedule;
    const busy =
      overlap === "skip" ? await deliveries.busyAmong(name, clientIds, now) : new Set<string>();
    const { timeZone, localTime, at } = time;
    const common = {
      scheduleId,
      localTime,
      timeZone,
      scheduledAt: at,
      dueAt: dueAt(due, time),
    };
    const rows = clientIds.map((clientId): Delivery => ({
      ...common,
      clientId,
      jobId: busy.has(clientId) ? null : jobId,
      status: busy.has(clientId) ? "skipped" : "expected",
      downloadId: null,
      files: 0,
      bytes: 0,
      revision: 1,
    }));
    const pause = pauses();
    for (let from = 0; from < rows.length; from += INSERTED_AT_ONCE) {
      await pause();
      await deliveries.insert(rows.slice(from, from + INSERTED_AT_ONCE));
    }
  }

  /**
   * Makes the job for one time of a schedule, with all clients whose deliveries name this job.
   * @returns the number of these clients
   */
  async createJob({ schedule, time, jobId, now }: OccurrenceRequest): Promise<number> {
    const clientIds: string[] = [];
    for (let after = "", isMore = true; isMore;) {
      const page = await this.options.repository.deliveries.ofJob(jobId, after, PAGE);
      for (const { clientId } of page) clientIds.push(clientId);
      after = page.at(-1)?.clientId ?? "";
      isMore = page.length === PAGE;
      await nextRound();
    }
    if (clientIds.length === 0) return 0;
    const plan = planOf(schedule);
    const next = cronOf(schedule).next(time.timeZone, Math.max(time.at, now));
    await this.options.jobs.createFor(plan, clientIds, {
      jobId,
      createdBy: schedule.createdBy,
      createdWith: schedule.createdWith,
      expiresAt: plan.expiresIn === null ? (next?.at ?? null) : now + plan.expiresIn,
      occurrence: {
        schedule: schedule.name,
        at: time.at,
        localTime: schedule.timeZone === null ? time.localTime : null,
      },
      now,
    });
    return clientIds.length;
  }
}

function planOf({ plan, name, spreadMs, keep }: Schedule): JobPlan {
  return {
    ...plan,
    name: plan.name ?? name,
    spreadMs: spreadMs ?? plan.spreadMs,
    keep: keep ?? plan.keep,
  };
}
