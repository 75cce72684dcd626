import type { InTurn } from "../util/fair-turns.ts";
import type { Sites } from "./access/sites.ts";
import type { JobPlan } from "./job.ts";
import type { Keep } from "./keep.ts";

/*
 * What a schedule is: it makes a job of many clients at its times. Times are ms since 1970, local times
 * are those of the clock on the wall: `2026-11-30T02:30:00`.
 */

/** When what a schedule asks for is to be there: so long after, or at the next such local time. */
export type Due = { afterMs: number } | { at: string };

export interface Schedule {
  /** UUIDv7. A name may be used again, once its schedule is gone. */
  scheduleId: string;
  name: string;
  cron: string;
  /** IANA name; null: each client's own. */
  timeZone: string | null;
  /** What it asks for each time. */
  plan: JobPlan;
  /** The same as it was asked for. */
  job: unknown;
  /** The starts are spread over so long, in ms; null: as the job says. */
  spreadMs: number | null;
  /** A time that was missed is made up for within so long, in ms. */
  catchUpMs: number;
  /** What becomes of a client that is still busy with the time before. */
  overlap: "skip" | "allow";
  due: Due;
  /** Least that is to come from each client. */
  expect: { files: number; bytes: number };
  /** How long what comes is kept; null: as its job says. */
  keep: Keep | null;
  /** null: it runs. */
  paused: "by_hand" | "token_ended" | null;
  /** Times before this one are none of its times. */
  since: number;
  /** Counts the changes of its times. */
  timing: number;
  createdAt: number;
  /** Name of the token of whoever made it. */
  createdBy: string | null;
  /** Hash of that token; null: an admin did not make it. */
  createdWith: string | null;
  /** Counts its changes: what compare-and-set compares. */
  revision: number;
}

/** When a schedule's next time comes in a zone. */
export interface NextTime {
  scheduleId: string;
  timeZone: string;
  at: number;
  /** The schedule's `timing` when it was found. */
  timing: number;
}

/** A time of a schedule for which a job is made. */
export interface ScheduledJob {
  scheduleId: string;
  timeZone: string;
  localTime: string;
  at: number;
  /** The job that it makes. */
  jobId: string;
  /** The job is there, or nobody was to be asked. */
  isMade: boolean;
}

export const DELIVERY_STATUSES = [
  "expected",
  "running",
  "received",
  "partial",
  "missing",
  "late",
  "skipped",
] as const;
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

/** What a schedule expects of a client at a time. */
export interface Delivery {
  scheduleId: string;
  clientId: string;
  localTime: string;
  timeZone: string;
  scheduledAt: number;
  dueAt: number;
  /** The job that asks for it; null: nothing was asked for. */
  jobId: string | null;
  status: DeliveryStatus;
  /** The download that the status follows from. */
  downloadId: string | null;
  /** What came. */
  files: number;
  bytes: number;
  /** Counts its changes: what compare-and-set compares. */
  revision: number;
}

/** What can change of a delivery. */
export type DeliveryState = Pick<Delivery, "bytes" | "downloadId" | "files" | "status">;

/** A delivery, and the newest download of its client that its job made. */
export interface Asked {
  delivery: Delivery;
  download: AskedDownload | null;
}

export interface AskedDownload {
  downloadId: string;
  status: "queued" | "downloading" | "verifying" | "completed" | "failed" | "cancelled";
  /** When it ended. */
  completedAt: number | null;
  /** Something was stored. */
  hasContent: boolean;
  /** It is a set. */
  isSet: boolean;
  totalSize: number;
  filesReceived: number;
  filesUnchanged: number;
  filesSkipped: number;
}

/** A place in a list of deliveries, newest local time first. */
export type DeliveryPlace = Pick<Delivery, "clientId" | "localTime">;

export interface DeliveryFilter {
  clientId?: string | undefined;
  status?: DeliveryStatus | undefined;
  /** First and last local time. */
  localFrom?: string | undefined;
  localTo?: string | undefined;
  /** First and last moment. */
  from?: number | undefined;
  to?: number | undefined;
  /** Only of these clients; null: of all. */
  sites: Sites | null;
  /** Only what comes behind. */
  after?: DeliveryPlace | undefined;
  limit: number;
}

/** How many deliveries of a local time have each status. */
export interface DeliveryCounts {
  localTime: string;
  counts: Record<DeliveryStatus, number>;
}

export interface ScheduleFilter {
  /** Only those with a greater name. */
  after?: string | undefined;
  /** Only schedules with a delivery of these clients, or made with that token; null: all. */
  seenBy?: { sites: Sites; tokenHash: string | null } | null;
  limit: number;
}

/** The rows of schedules. Each change is one conditional statement, as of all rows. */
export interface ScheduleRows {
  /** @returns false where the name is taken */
  insert(schedule: Schedule): Promise<boolean>;
  get(name: string): Promise<Schedule | null>;
  byId(scheduleId: string): Promise<Schedule | null>;
  /** By name. */
  list(filter: ScheduleFilter): Promise<Schedule[]>;
  count(): Promise<number>;
  /** Compare and set. @returns the schedule as it now is; null: another change came first */
  replace(next: Schedule): Promise<Schedule | null>;
  /** Its times, and what it expected, are forgotten later: {@link forget}. */
  remove(scheduleId: string): Promise<void>;
  /** Forgets some of what belongs to schedules that are gone. @returns whether there is more */
  forget(): Promise<boolean>;

  /** When the schedule's next times come, by zone. */
  times(scheduleId: string): Promise<NextTime[]>;
  /** Adds next times; one that is there for its zone is replaced if its `timing` is smaller. */
  addTimes(times: readonly NextTime[]): Promise<void>;
  /** Sets the next time of a zone if it still is as it was. @param at null: nothing comes any more */
  moveTime(before: NextTime, at: number | null, timing: number): Promise<void>;
  /** Times of schedules that run which have come, the earliest first. */
  dueTimes(now: number, limit: number): Promise<NextTime[]>;
  /** When the next time of a schedule that runs comes, or null. */
  nextAt(): Promise<number | null>;

  /** Begins to make the job of a time, unless somebody did. @returns what is there now */
  begin(made: ScheduledJob): Promise<ScheduledJob>;
  finish(made: ScheduledJob): Promise<void>;
}

/** The rows of deliveries. */
export interface DeliveryRows {
  /** Adds deliveries; one that is there stays. */
  insert(deliveries: readonly Delivery[]): Promise<void>;
  /** Which of some clients have a download under way that the schedule asked for. */
  busyAmong(schedule: string, clientIds: readonly string[], now: number): Promise<Set<string>>;
  /** The deliveries of some clients at a local time. */
  at(scheduleId: string, localTime: string, clientIds: readonly string[]): Promise<Delivery[]>;
  /** Those that a job asks for, by client, behind one. */
  ofJob(jobId: string, after: string, limit: number): Promise<Delivery[]>;
  /** Has another job ask for a delivery, if that is as it was. */
  askAgain(delivery: Delivery, jobId: string): Promise<boolean>;
  /** Those of some clients of a job, with what came of it. */
  asked(jobId: string, clientIds: readonly string[]): Promise<Asked[]>;
  /** Those that are due, and of which nothing came in time. */
  due(now: number, limit: number): Promise<Asked[]>;
  /** Deliveries of all schedules that brought nothing yet, behind a place. */
  open(after: DeliveryKey | null, limit: number): Promise<Asked[]>;
  /** When the next delivery is due, or null. */
  nextDue(): Promise<number | null>;
  /**
   * Compare and set. It is the one place where the status of a delivery changes.
   * @returns the delivery as it now is; null: another change came first
   */
  change(delivery: Delivery, state: DeliveryState): Promise<Delivery | null>;
  /** Newest local time first, then by client. @param inTurn runs a piece of the work */
  list(scheduleId: string, filter: DeliveryFilter, inTurn: InTurn): Promise<Delivery[]>;
  /** Of the newest local time; null: there is none. @param sites only of these clients; null: of all */
  latest(scheduleId: string, sites: Sites | null): Promise<DeliveryCounts | null>;
  /** Bytes of a set's files, the unchanged ones too. */
  bytesOf(downloadId: string): Promise<number>;
}

/** What a delivery is known by. */
export type DeliveryKey = Pick<Delivery, "clientId" | "localTime" | "scheduleId">;
