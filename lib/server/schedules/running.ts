import { FdsError } from "../../protocol/errors.ts";
import { localTimeAt } from "../../util/time-zone.ts";
import { OutOfScope } from "../access/caller.ts";
import { areOf, type Sites } from "../access/sites.ts";
import { clientNotFound } from "../clients/clients.ts";
import { timeZoneOf } from "../clients/time-zone.ts";
import type { Repository } from "../database/repository.ts";
import { Choice } from "../jobs/choice.ts";
import type { Schedule } from "../schedule.ts";
import type { Occasion } from "./due.ts";
import type { Asking, Occurrences } from "./occurrences.ts";
import { cronOf } from "./timetable.ts";

/** A run that somebody asked for, besides the schedule's times. */
export interface Run {
  /** null: all clients of the schedule. */
  clientIds: string[] | null;
  /** One of the schedule's times, used also for the dates; null: now. */
  localTime: string | null;
  /** The clients that the schedule's maker may see. */
  right: Sites | null;
}

/** A job that was made for one zone. */
export interface RunJob {
  jobId: string;
  timeZone: string;
  localTime: string;
  total: number;
}

/** Clients in one statement. */
const PAGE = 200;

export interface RunningOptions {
  repository: Pick<Repository, "deliveries" | "getClient" | "listClients">;
  occurrences: Occurrences;
}

/** Runs schedules on request: now, or again for a time in the past. */
export class Running {
  constructor(private readonly options: RunningOptions) {}

  /** @throws FdsError `invalid_request`, `client_not_found` */
  async run(schedule: Schedule, order: Run, now: number): Promise<RunJob[]> {
    const zones = await this.#clientsByZone(schedule, order);
    if (zones.size === 0) {
      throw new FdsError("invalid_request", "The schedule is for no client that is there");
    }
    const jobs: RunJob[] = [];
    let hasCome = false;
    for (const [timeZone, clientIds] of zones) {
      const occasion = await this.#occasionOf(schedule, timeZone, order.localTime, clientIds, now);
      if (!occasion) continue;
      hasCome = true;
      const asking = { schedule, occasion, jobId: Bun.randomUUIDv7(), now };
      await this.#ask(asking, clientIds);
      const total = await this.options.occurrences.createJob(asking);
      const { localTime } = occasion;
      if (total > 0) jobs.push({ jobId: asking.jobId, timeZone, localTime, total });
    }
    if (!hasCome) {
      const message = `"scheduled_local": "${order.localTime}" is no time of the schedule that has come`;
      throw new FdsError("invalid_request", message);
    }
    if (jobs.length > 0) return jobs;
    const message = "Wait until they have ended, each of these clients is asked by it already";
    throw new FdsError("invalid_request", message);
  }

  async #clientsByZone(
    { plan, timeZone }: Schedule,
    { clientIds, right }: Run,
  ): Promise<Map<string, string[]>> {
    const zones = new Map<string, string[]>();
    const wanted = clientIds && new Set(clientIds);
    const choice = new Choice(plan.selection, this.options.repository);
    for await (const page of choice.clients(right)) {
      for (const client of page) {
        if (wanted && !wanted.delete(client.clientId)) continue;
        const zone = timeZone ?? timeZoneOf(client);
        const there = zones.get(zone) ?? [];
        there.push(client.clientId);
        zones.set(zone, there);
      }
    }
    for (const clientId of wanted ?? []) await this.#refuse(clientId, right);
    return zones;
  }

  async #refuse(clientId: string, right: Sites | null): Promise<never> {
    const client = await this.options.repository.getClient(clientId);
    if (!client) throw clientNotFound(clientId);
    if (!areOf(right, clientId, client.labels)) {
      throw new OutOfScope(clientNotFound(clientId), clientId);
    }
    throw new FdsError("invalid_request", `The schedule is not for the client "${clientId}"`);
  }

  /** @returns null: the time has not come in that zone, or is not one of the schedule's */
  async #occasionOf(
    schedule: Schedule,
    timeZone: string,
    localTime: string | null,
    clientIds: readonly string[],
    now: number,
  ): Promise<Occasion | null> {
    if (localTime === null) return { timeZone, at: now, localTime: localTimeAt(now, timeZone) };
    const at =
      cronOf(schedule).momentOf(localTime, timeZone) ??
      (await this.#momentOfRun(schedule, localTime, clientIds));
    return at === null || at > now ? null : { timeZone, at, localTime };
  }

  /** When somebody ran the schedule with this local time. */
  async #momentOfRun({ scheduleId }: Schedule, localTime: string, clientIds: readonly string[]) {
    const { deliveries } = this.options.repository;
    for (let from = 0; from < clientIds.length; from += PAGE) {
      const some = clientIds.slice(from, from + PAGE);
      const [one] = await deliveries.at(scheduleId, localTime, some);
      if (one) return one.scheduledAt;
    }
    return null;
  }

  /** Asks the clients, except those that are asked already. */
  async #ask(asking: Asking, clientIds: readonly string[]): Promise<void> {
    const { deliveries } = this.options.repository;
    const { schedule, occasion, jobId, now } = asking;
    for (let from = 0; from < clientIds.length; from += PAGE) {
      const some = clientIds.slice(from, from + PAGE);
      const known = await deliveries.at(schedule.scheduleId, occasion.localTime, some);
      const busy = await deliveries.busyAmong(schedule.name, some, now);
      for (const delivery of known) {
        if (!busy.has(delivery.clientId)) await deliveries.askAgain(delivery, jobId);
      }
      const theirs = new Set(known.map(({ clientId }) => clientId));
      const mayOverlap = schedule.overlap === "allow";
      const others = some.filter((id) => !theirs.has(id) && (mayOverlap || !busy.has(id)));
      await this.options.occurrences.expect(asking, others);
    }
  }
}
