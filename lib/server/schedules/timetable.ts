import { Cron } from "../../util/cron.ts";
import { nextRound, pauses } from "../../util/fair-turns.ts";
import { timeZoneOf } from "../clients/time-zone.ts";
import type { Repository } from "../database/repository.ts";
import type { NextTime, Schedule } from "../schedule.ts";

/** Schedules or clients that are read in one query, before other work of the event loop runs. */
const PAGE = 200;

export type TimetableRows = Pick<Repository, "listClients" | "schedules">;

/**
 * Stores when each schedule runs next, in its own time zone or in each zone that has clients. From these
 * rows, the server knows which schedules are due.
 */
export class Timetable {
  /**
   * Time zones that {@link zoneSeen} has handled. For each of them, the next run of every schedule that uses
   * the clients' own zones is stored.
   */
  readonly #knownZones = new Set<string>();

  constructor(private readonly rows: TimetableRows) {}

  /**
   * Stores when a schedule runs next in each of its time zones, unless that is stored already for its present
   * cron expression and zone.
   */
  async add(schedule: Schedule, now: number): Promise<void> {
    const { timeZone } = schedule;
    const zones = timeZone === null ? await this.#zonesOfClients() : [timeZone];
    await this.#addZones(schedule, zones, now);
  }

  /**
   * Called when a client of a time zone was seen. Stores when each schedule that uses the clients' own zones
   * runs next in this zone.
   * @returns false: the zone was known already; true: next times may have been added
   */
  async zoneSeen(timeZone: string, now: number): Promise<boolean> {
    if (this.#knownZones.has(timeZone)) return false;
    for await (const schedule of this.#schedules()) {
      if (schedule.timeZone === null) await this.#addZones(schedule, [timeZone], now);
    }
    this.#knownZones.add(timeZone);
    return true;
  }

  /**
   * Adds missing next times of schedules, and corrects those computed before the system's clock was set back.
   */
  async mend(now: number): Promise<void> {
    const pause = pauses();
    const clientZones = await this.#zonesOfClients();
    for await (const schedule of this.#schedules()) {
      const { timeZone } = schedule;
      await this.#addZones(schedule, timeZone === null ? clientZones : [timeZone], now);
      const cron = cronOf(schedule);
      for (const time of await this.rows.schedules.times(schedule.scheduleId)) {
        await pause();
        const next = cron.next(time.timeZone, now);
        if (next && next.at < time.at)
          await this.rows.schedules.moveTime(time, next.at, time.timing);
      }
    }
  }

  async *#schedules(): AsyncGenerator<Schedule> {
    for (let after: string | undefined, isMore = true; isMore;) {
      const page = await this.rows.schedules.list({ after, limit: PAGE });
      yield* page;
      after = page.at(-1)?.name;
      isMore = page.length === PAGE;
    }
  }

  async #zonesOfClients(): Promise<Set<string>> {
    const zones = new Set<string>();
    for (let after: string | undefined, isMore = true; isMore;) {
      const page = await this.rows.listClients({ after, limit: PAGE });
      for (const client of page) zones.add(timeZoneOf(client));
      after = page.at(-1)?.clientId;
      isMore = page.length === PAGE;
      await nextRound();
    }
    return zones;
  }

  async #addZones(schedule: Schedule, zones: Iterable<string>, now: number): Promise<void> {
    const { scheduleId, timing } = schedule;
    const cron = cronOf(schedule);
    const times: NextTime[] = [];
    const pause = pauses();
    for (const timeZone of zones) {
      await pause();
      const next = cron.next(timeZone, now);
      if (next) times.push({ scheduleId, timeZone, at: next.at, timing });
    }
    await this.rows.schedules.addTimes(times);
  }
}

/** Returns the parsed cron expression of a schedule. The expression was validated when it was requested. */
export function cronOf({ cron }: Pick<Schedule, "cron">): Cron {
  const parsed = Cron.parse(cron);
  if (typeof parsed === "string") throw new Error(`the cron "${cron}" ${parsed}`);
  return parsed;
}
