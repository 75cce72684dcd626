import type { BoardTime, DeliveryRecord } from "../../api/deliveries.ts";
import type { ScheduleRecord } from "../../api/schedules.ts";
import type { Caller } from "../access/caller.ts";
import type { Delivery, DeliveryCounts, Schedule, TimeOnBoard } from "../schedule.ts";
import { clientsFor, durationOf, keepRecord, mayChange } from "./jobs.ts";
import { isoTime } from "./records.ts";

/** The next time of a schedule, and its latest deliveries. */
export interface ScheduleStanding {
  /** The next time at which the schedule makes a job, in ms since 1970; null: there is none. */
  nextAt: number | null;
  /**
   * Counts of the deliveries at the schedule's latest time, for clients that the caller may see; null: no
   * deliveries.
   */
  latest: DeliveryCounts | null;
}

/** A schedule as REST shows it to a caller. */
export function scheduleRecord(
  schedule: Schedule,
  { nextAt, latest }: ScheduleStanding,
  viewer: Pick<Caller, "sites" | "tokenHash">,
): ScheduleRecord {
  const { due, plan, spreadMs, paused, createdWith } = schedule;
  const { selection } = plan;
  const job = schedule.job as ScheduleRecord["job"];
  return {
    name: schedule.name,
    cron: schedule.cron,
    time_zone: schedule.timeZone ?? "site",
    job: { ...job, clients: clientsFor({ selection, createdWith }, viewer) },
    spread: spreadMs === null ? null : durationOf(spreadMs),
    catch_up: durationOf(schedule.catchUpMs),
    overlap: schedule.overlap,
    due: "at" in due ? { at: due.at } : { after: durationOf(due.afterMs) },
    expect: schedule.expect,
    keep: keepRecord(schedule),
    paused: paused !== null,
    paused_because: paused,
    created_at: isoTime(schedule.createdAt),
    created_by: schedule.createdBy,
    next_at: nextAt === null ? null : isoTime(nextAt),
    latest: latest && { scheduled_local: latest.localTime, counts: latest.counts },
    may_change: mayChange(schedule, viewer),
  };
}

/** A delivery as REST shows it. */
export function deliveryRecord(delivery: Delivery): DeliveryRecord {
  return {
    client_id: delivery.clientId,
    scheduled_at: isoTime(delivery.scheduledAt),
    scheduled_local: delivery.localTime,
    time_zone: delivery.timeZone,
    status: delivery.status,
    due_at: isoTime(delivery.dueAt),
    job_id: delivery.jobId,
    download_id: delivery.downloadId,
    files: delivery.files,
    bytes: delivery.bytes,
  };
}

/** The deliveries of one local time on a schedule's board, as REST shows them. */
export function boardTimeRecord({ localTime, clients, nextDueAt, jobIds }: TimeOnBoard): BoardTime {
  return {
    scheduled_local: localTime,
    clients,
    next_due_at: nextDueAt === null ? null : isoTime(nextDueAt),
    job_ids: [...jobIds],
  };
}
