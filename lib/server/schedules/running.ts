import { FdsError } from "../../protocol/errors.ts";
import { pauses } from "../../util/fair-turns.ts";
import { SerialQueue } from "../../util/serial-queue.ts";
import { localTimeAt } from "../../util/time-zone.ts";
import { OutOfScope } from "../access/caller.ts";
import { sitesOfMaker } from "../access/maker.ts";
import { areOf, type Sites } from "../access/sites.ts";
import { clientNotFound } from "../clients/clients.ts";
import { timeZoneOf } from "../clients/time-zone.ts";
import type { Repository } from "../database/repository.ts";
import { SelectedClients } from "../jobs/choice.ts";
import type { Delivery, RequestedRun, Schedule } from "../schedule.ts";
import type { OccurrenceTime } from "./due.ts";
import type { OccurrenceRequest, Occurrences } from "./occurrences.ts";
import { cronOf } from "./timetable.ts";

/** A run of a schedule that somebody requested, besides its regular times. */
export interface Run {
  /** Ids of the clients to ask; null: all clients of the schedule. */
  clientIds: string[] | null;
  /** The past local time to run the schedule for. Dates in paths are filled in for this time. null: now. */
  localTime: string | null;
  /** The clients that the schedule's maker may see; null: all. */
  sites: Sites | null;
}

/** A job that a requested run of a schedule made for one time zone. */
export interface RunJob {
  jobId: string;
  timeZone: string;
  localTime: string;
  total: number;
}

/** Clients whose deliveries are read by one statement. */
const PAGE = 200;

export interface RunningOptions {
  repository: Pick<
    Repository,
    "access" | "deliveries" | "getClient" | "jobs" | "listClients" | "schedules"
  >;
  occurrences: Occurrences;
}

/**
 * Runs schedules on request, for now or again for a time in the past. A run is first recorded in the
 * database, so that if the server stops before all jobs are made, they are made at its next start.
 */
export class RequestedRuns {
  readonly #bySchedule = new SerialQueue();

  constructor(private readonly options: RunningOptions) {}

  /**
   * Runs a schedule. Runs of the same schedule are done one after another, so that a later run leaves out the
   * clients that an earlier one is asking.
   * @throws FdsError `invalid_request`, `client_not_found`
   */
  run(schedule: Schedule, order: Run, now: number): Promise<RunJob[]> {
    return this.#bySchedule.run(() => this.#run(schedule, order, now), schedule.scheduleId);
  }

  /** Makes the jobs of recorded runs that an earlier process did not finish. */
  async takeUp(now: number): Promise<void> {
    const { access, jobs, schedules } = this.options.repository;
    for (const run of await schedules.listRuns()) {
      const { scheduleId, jobId } = run;
      await this.#bySchedule.run(async () => {
        const schedule = await schedules.byId(scheduleId);
        const isWanted = schedule && (await sitesOfMaker(schedule.createdWith, access)) !== "none";
        if (isWanted && !(await jobs.get(jobId))) await this.#ask(schedule, run, now);
        await schedules.removeRun(jobId);
      }, scheduleId);
    }
  }

  async #run(schedule: Schedule, order: Run, now: number): Promise<RunJob[]> {
    const { schedules } = this.options.repository;
    const runs = await this.#runsOf(schedule, order, now);
    await schedules.insertRuns(runs);
    const made: RunJob[] = [];
    for (const run of runs) {
      const { jobId, timeZone, localTime } = run;
      const total = await this.#ask(schedule, run, now);
      await schedules.removeRun(jobId);
      if (total > 0) made.push({ jobId, timeZone, localTime, total });
    }
    if (made.length > 0) return made;
    const message = "Wait until they have ended, each of these clients is asked by it already";
    throw new FdsError("invalid_request", message);
  }

  /** Returns the runs to record, one for each time zone of the requested clients. */
  async #runsOf(schedule: Schedule, order: Run, now: number): Promise<RequestedRun[]> {
    const zones = await this.#clientsByZone(schedule, order);
    if (zones.size === 0) {
      throw new FdsError("invalid_request", "The schedule is for no client that is there");
    }
    const { scheduleId } = schedule;
    const { localTime } = order;
    const runs: RequestedRun[] = [];
    for (const [timeZone, clientIds] of zones) {
      const time = await this.#timeOf(schedule, timeZone, localTime, clientIds, now);
      if (!time) continue;
      runs.push({ ...time, scheduleId, jobId: Bun.randomUUIDv7(), clientIds });
    }
    if (runs.length > 0) return runs;
    const message = `"scheduled_local": "${localTime}" is no time of the schedule that has come`;
    throw new FdsError("invalid_request", message);
  }

  async #clientsByZone(
    { plan, timeZone }: Schedule,
    { clientIds, sites }: Run,
  ): Promise<Map<string, string[]>> {
    const zones = new Map<string, string[]>();
    const wanted = clientIds && new Set(clientIds);
    const selected = new SelectedClients(plan.selection, this.options.repository);
    for await (const page of selected.clients(sites)) {
      for (const client of page) {
        if (wanted && !wanted.delete(client.clientId)) continue;
        const zone = timeZone ?? timeZoneOf(client);
        const clientsInZone = zones.get(zone) ?? [];
        clientsInZone.push(client.clientId);
        zones.set(zone, clientsInZone);
      }
    }
    for (const clientId of wanted ?? []) await this.#refuse(clientId, sites);
    return zones;
  }

  async #refuse(clientId: string, sites: Sites | null): Promise<never> {
    const client = await this.options.repository.getClient(clientId);
    if (!client) throw clientNotFound(clientId);
    if (!areOf(sites, clientId, client.labels)) {
      throw new OutOfScope(clientNotFound(clientId), clientId);
    }
    throw new FdsError("invalid_request", `The schedule is not for the client "${clientId}"`);
  }

  /**
   * Returns the time for which the schedule runs in a time zone.
   * @returns null: the local time is still in the future there, or is neither a time of the schedule nor one
   * that already has deliveries
   */
  async #timeOf(
    schedule: Schedule,
    timeZone: string,
    localTime: string | null,
    clientIds: readonly string[],
    now: number,
  ): Promise<OccurrenceTime | null> {
    if (localTime === null) return { timeZone, at: now, localTime: localTimeAt(now, timeZone) };
    const at =
      cronOf(schedule).momentOf(localTime, timeZone) ??
      (await this.#momentOfRun(schedule, localTime, clientIds));
    return at === null || at > now ? null : { timeZone, at, localTime };
  }

  /**
   * Returns the moment, in ms since 1970, of the deliveries that these clients already have at a local time,
   * for example from an earlier requested run; null: there are none.
   */
  async #momentOfRun({ scheduleId }: Schedule, localTime: string, clientIds: readonly string[]) {
    const { deliveries } = this.options.repository;
    for (let from = 0; from < clientIds.length; from += PAGE) {
      const batch = clientIds.slice(from, from + PAGE);
      const [one] = await deliveries.at(scheduleId, localTime, batch);
      if (one) return one.scheduledAt;
    }
    return null;
  }

  /**
   * Makes the job of a run. Clients with an unfinished download of the schedule are left out. If the schedule
   * allows overlap, such a client is left out only if it already has a delivery at the run's local time.
   * @returns the number of clients asked
   */
  async #ask(schedule: Schedule, run: RequestedRun, now: number): Promise<number> {
    const { deliveries } = this.options.repository;
    const { clientIds, jobId, timeZone, localTime, at } = run;
    const request: OccurrenceRequest = { schedule, time: { timeZone, localTime, at }, jobId, now };
    const pause = pauses();
    for (let from = 0; from < clientIds.length; from += PAGE) {
      const batch = clientIds.slice(from, from + PAGE);
      const existing = await deliveries.at(schedule.scheduleId, localTime, batch);
      const busy = await deliveries.busyAmong(schedule.name, batch, now);
      for (const delivery of existing) {
        await pause();
        if (!busy.has(delivery.clientId)) await this.#askAgain(delivery, jobId);
      }
      const withDelivery = new Set(existing.map(({ clientId }) => clientId));
      const mayOverlap = schedule.overlap === "allow";
      const toAdd = batch.filter((id) => !withDelivery.has(id) && (mayOverlap || !busy.has(id)));
      await this.options.occurrences.insertDeliveries(request, toAdd);
    }
    return this.options.occurrences.createJob(request);
  }

  /** Assigns a delivery to a new job, and retries if only its status changed at the same moment. */
  async #askAgain(delivery: Delivery, jobId: string): Promise<void> {
    const { deliveries } = this.options.repository;
    const { scheduleId, localTime, clientId, jobId: before } = delivery;
    for (let known: Delivery | undefined = delivery; known?.jobId === before;) {
      if (await deliveries.askAgain(known, jobId)) return;
      [known] = await deliveries.at(scheduleId, localTime, [clientId]);
    }
  }
}
