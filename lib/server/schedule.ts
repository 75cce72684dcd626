import type { InTurn } from "../util/fair-turns.ts";
import type { Sites } from "./access/sites.ts";
import type { JobPlan } from "./job.ts";
import type { Keep } from "./keep.ts";

/*
 * What a schedule is: it makes jobs at its times. Moments are ms since 1970, local times have the form
 * `2026-11-30T02:30:00`.
 */

/** When deliveries are due: so long after the schedule's time, or at the next such local time. */
export type Due = { afterMs: number } | { at: string };

export interface Schedule {
  /** UUIDv7. The name alone may be used again after a removal. */
  scheduleId: string;
  name: string;
  cron: string;
  /** IANA name; null: each client's own zone. */
  timeZone: string | null;
  /** The job that it makes each time. */
  plan: JobPlan;
  /** The same, as the request had it. */
  job: unknown;
  /** Span over which starts are spread, in ms; null: as the job says. */
  spreadMs: number | null;
  /** How late a missed time may still run, in ms. */
  catchUpMs: number;
  /** What happens with a client that is still busy with an earlier time. */
  overlap: "skip" | "allow";
  due: Due;
  /** Least that is expected of each client. */
  expect: { files: number; bytes: number };
  /** How long results are kept; null: as the job says. */
  keep: Keep | null;
  /** null: it is active. */
  paused: "by_hand" | "token_ended" | null;
  /** Earlier times do not count. */
  since: number;
  /** Number of changes of its times. */
  timing: number;
  createdAt: number;
  /** Name of the maker's token. */
  createdBy: string | null;
  /** Hash of the maker's token; null: not a token that an admin made. */
  createdWith: string | null;
  /** Number of its changes, for compare-and-set. */
  revision: number;
}

/** The next time of a schedule in a zone. */
export interface NextTime {
  scheduleId: string;
  timeZone: string;
  at: number;
  /** The schedule's `timing` when this time was computed. */
  timing: number;
}

/** The job of a schedule's time. */
export interface ScheduledJob {
  scheduleId: string;
  timeZone: string;
  localTime: string;
  at: number;
  /** Id of the job that is made. */
  jobId: string;
  /** True: the job exists, or there was nobody to ask. */
  isMade: boolean;
}

/** A run by request, until its job is made. */
export interface PromisedRun {
  scheduleId: string;
  timeZone: string;
  localTime: string;
  at: number;
  /** Id that the job will have. */
  jobId: string;
  /** The clients to ask. */
  clientIds: string[];
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

/** What a schedule expects of one client at one time. */
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
  /** The download that decides its status. */
  downloadId: string | null;
  /** What was received. */
  files: number;
  bytes: number;
  /** Number of its changes, for compare-and-set. */
  revision: number;
}

/** The fields of a delivery that change. */
export type DeliveryState = Pick<Delivery, "bytes" | "downloadId" | "files" | "status">;

/** A delivery, with the newest download that its job made for its client. */
export interface Asked {
  delivery: Delivery;
  download: AskedDownload | null;
}

export interface AskedDownload {
  downloadId: string;
  status: "queued" | "downloading" | "verifying" | "completed" | "failed" | "cancelled";
  /** When the download ended. */
  completedAt: number | null;
  /** True: something is stored. */
  hasContent: boolean;
  /** True for a set. */
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
  /** First and last local time, both included. */
  localFrom?: string | undefined;
  localTo?: string | undefined;
  /** First and last moment, both included. */
  from?: number | undefined;
  to?: number | undefined;
  /** Only these clients; null: all. */
  sites: Sites | null;
  /** Only deliveries after this one. */
  after?: DeliveryPlace | undefined;
  limit: number;
}

/** Bounds of local times. */
export interface TimeBounds {
  /** First and last local time. */
  localFrom?: string | undefined;
  localTo?: string | undefined;
  /** Only earlier ones. */
  before?: string | undefined;
}

/** A local time of a schedule. */
export type TimeOf = Pick<Delivery, "localTime" | "scheduleId">;

/** What a board needs to know of a delivery. */
export type Cell = Pick<Delivery, "clientId" | "dueAt" | "jobId" | "status">;

/** A local time of a schedule, and the clients by status. */
export interface TimeOnBoard {
  localTime: string;
  /** Sorted ids of clients. */
  clients: Record<DeliveryStatus, string[]>;
  /** When the next awaited delivery is due, ms since 1970; null: none is awaited. */
  nextDueAt: number | null;
  /** The jobs that ask for its deliveries. */
  jobIds: Set<string>;
}

/** Number of deliveries of a local time, by status. */
export interface DeliveryCounts {
  localTime: string;
  counts: Record<DeliveryStatus, number>;
}

export interface ScheduleFilter {
  /** Only schedules after this name. */
  after?: string | undefined;
  /** Only schedules with a delivery of these clients, or made with that token; null: all. */
  seenBy?: { sites: Sites; tokenHash: string | null } | null;
  limit: number;
}

/** The rows of schedules. Each change is one conditional statement. */
export interface ScheduleRows {
  /** @returns false where the name is taken */
  insert(schedule: Schedule): Promise<boolean>;
  get(name: string): Promise<Schedule | null>;
  byId(scheduleId: string): Promise<Schedule | null>;
  /** By name. */
  list(filter: ScheduleFilter): Promise<Schedule[]>;
  count(): Promise<number>;
  /** Compare and set. @returns the schedule as it is now; null: another change came first */
  replace(next: Schedule): Promise<Schedule | null>;
  /** Removes a schedule. Its times and deliveries are removed later, by {@link forget}. */
  remove(scheduleId: string): Promise<void>;
  /** Removes a batch of rows of removed schedules. @returns whether there are more */
  forget(): Promise<boolean>;
  /**
   * Removes some deliveries of a schedule that lie before a local time, and the rows of jobs made for such
   * times. Awaited deliveries stay.
   * @returns whether there may be more
   */
  forgetBefore(scheduleId: string, localTime: string): Promise<boolean>;

  /** The schedule's next times, one for each zone. */
  times(scheduleId: string): Promise<NextTime[]>;
  /** Adds next times. An existing one of the same zone is replaced if its `timing` is lower. */
  addTimes(times: readonly NextTime[]): Promise<void>;
  /** Moves the next time of a zone, if it is still as given. @param at null: there are no more times */
  moveTime(before: NextTime, at: number | null, timing: number): Promise<void>;
  /** Times of active schedules that have come, earliest first. */
  dueTimes(now: number, limit: number): Promise<NextTime[]>;
  /** The next time of any active schedule, or null. */
  nextAt(): Promise<number | null>;

  /** Inserts the row for making a job of a time, unless it exists. @returns the row that is there now */
  begin(made: ScheduledJob): Promise<ScheduledJob>;
  finish(made: ScheduledJob): Promise<void>;

  /** Writes runs down before they are carried out: all of them or none. */
  promise(runs: readonly PromisedRun[]): Promise<void>;
  /** Runs that may not be carried out yet. */
  promised(): Promise<PromisedRun[]>;
  /** Removes a run whose job is made, or must not be made. */
  keepPromise(jobId: string): Promise<void>;
}

/** The rows of deliveries. */
export interface DeliveryRows {
  /** Adds deliveries, except those that exist. */
  insert(deliveries: readonly Delivery[]): Promise<void>;
  /** The given clients that have an unfinished download for the schedule. */
  busyAmong(schedule: string, clientIds: readonly string[], now: number): Promise<Set<string>>;
  /** The deliveries of the given clients at a local time. */
  at(scheduleId: string, localTime: string, clientIds: readonly string[]): Promise<Delivery[]>;
  /** The deliveries that a job asks for, by client, after a given one. */
  ofJob(jobId: string, after: string, limit: number): Promise<Delivery[]>;
  /** Assigns a delivery to another job, if it is still as given. */
  askAgain(delivery: Delivery, jobId: string): Promise<boolean>;
  /** The deliveries of some clients of a job, with their newest downloads. */
  asked(jobId: string, clientIds: readonly string[]): Promise<Asked[]>;
  /** Deliveries that are due and have not been fulfilled in time. */
  due(now: number, limit: number): Promise<Asked[]>;
  /** Unfulfilled deliveries of all schedules, after a given one. */
  open(after: DeliveryKey | null, limit: number): Promise<Asked[]>;
  /** When the next delivery is due, or null. */
  nextDue(): Promise<number | null>;
  /**
   * Compare and set of a few deliveries, no more than {@link CHANGED_AT_ONCE}; the status of a delivery changes
   * nowhere else.
   * @returns the changed deliveries, in any order, as they are now; of others another change came first
   */
  change(changes: readonly DeliveryChange[]): Promise<Delivery[]>;
  /** Newest local time first, then by client. @param inTurn runs a piece of the work */
  list(scheduleId: string, filter: DeliveryFilter, inTurn: InTurn): Promise<Delivery[]>;
  /** The newest local time with deliveries; undefined: there is none. */
  newestTime(scheduleId: string, bounds: TimeBounds): Promise<string | undefined>;
  /**
   * Deliveries of a local time, by client.
   * @param after only clients behind this one
   * @param sites only these clients; null: all
   */
  cells(time: TimeOf, after: string, sites: Sites | null, limit: number): Promise<Cell[]>;
  /** Counts of the newest local time; null: there is none. @param sites only these clients; null: all */
  latest(scheduleId: string, sites: Sites | null): Promise<DeliveryCounts | null>;
  /** Total bytes of a set's files, including unchanged ones. */
  bytesOf(downloadId: string): Promise<number>;
}

/** Most deliveries that are changed in one statement, which takes about a millisecond. */
export const CHANGED_AT_ONCE = 50;

/** A delivery as it is known, and its new state. */
export interface DeliveryChange {
  delivery: Delivery;
  state: DeliveryState;
}

/** The key of a delivery. */
export type DeliveryKey = Pick<Delivery, "clientId" | "localTime" | "scheduleId">;
