import type { InTurn } from "../util/fair-turns.ts";
import type { Sites } from "./access/sites.ts";
import type { JobPlan } from "./job.ts";
import type { Keep } from "./keep.ts";

/*
 * A schedule: it makes a job at each of its times. Moments are in ms since 1970, local times have the form
 * `2026-11-30T02:30:00`.
 */

/** When deliveries are due: `afterMs` after the schedule's time, or at the next local time of day `at`. */
export type Due = { afterMs: number } | { at: string };

export interface Schedule {
  /** A UUIDv7. A new schedule may take the name of a removed one, but has an id of its own. */
  scheduleId: string;
  name: string;
  cron: string;
  /** Time zone of the cron times, as an IANA name; null: each client's own zone. */
  timeZone: string | null;
  /** The job that the schedule makes at each time. */
  plan: JobPlan;
  /** The job as JSON from the request that made the schedule. */
  job: unknown;
  /** Time over which the starts of downloads are spread, in ms; null: as the job's plan says. */
  spreadMs: number | null;
  /** A missed time of the schedule is run late if it is at most this many ms ago. */
  catchUpMs: number;
  /** Whether a client with an unfinished download of an earlier time is skipped or asked all the same. */
  overlap: "skip" | "allow";
  due: Due;
  /** Fewest files and bytes that make a client's delivery complete. */
  expect: { files: number; bytes: number };
  /** How long the results are kept; null: as the job's plan says. */
  keep: Keep | null;
  /** Why the schedule is paused; null: it is active. */
  paused: "by_hand" | "token_ended" | null;
  /** No job is made for times before this one, in ms since 1970. */
  since: number;
  /** How often the cron times of the schedule changed. Times computed before the last change are invalid. */
  timing: number;
  createdAt: number;
  /** Name of the token that made the schedule, or `API_TOKEN`; null: no token was needed. */
  createdBy: string | null;
  /** Hash of the token that made the schedule; null: the API_TOKEN of the settings, or no token needed. */
  createdWith: string | null;
  /** How often the schedule's row has changed. Compare-and-set checks this number. */
  revision: number;
}

/** The next time of a schedule in one time zone. */
export interface NextTime {
  scheduleId: string;
  timeZone: string;
  at: number;
  /** The schedule's `timing` when this time was computed. A time with an older `timing` is invalid. */
  timing: number;
}

/** The row that names the job of one time of a schedule. */
export interface ScheduledJob {
  scheduleId: string;
  timeZone: string;
  localTime: string;
  at: number;
  /** The id that the job has, or will have once it is made. */
  jobId: string;
  /** True: the job exists, or is not needed because no client was to be asked. */
  isMade: boolean;
}

/** A run that somebody requested, recorded until its job is made. */
export interface RequestedRun {
  scheduleId: string;
  timeZone: string;
  localTime: string;
  at: number;
  /** The id that the job will have. */
  jobId: string;
  /** Ids of the clients that the job will ask. */
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

/** A delivery of files that a schedule expects of one client at one time, and its result. */
export interface Delivery {
  scheduleId: string;
  clientId: string;
  localTime: string;
  timeZone: string;
  scheduledAt: number;
  dueAt: number;
  /** Id of the job that asks the client; null: the client was not asked. */
  jobId: string | null;
  status: DeliveryStatus;
  /** Id of the download that decides the delivery's status; null: none. */
  downloadId: string | null;
  /** The numbers of files and bytes that were delivered. */
  files: number;
  bytes: number;
  /** How often the delivery's row has changed. Compare-and-set checks this number. */
  revision: number;
}

/** The fields of a delivery that change while downloads progress. */
export type DeliveryState = Pick<Delivery, "bytes" | "downloadId" | "files" | "status">;

/** A delivery, and the newest download that its job made for its client, which is null if there is none. */
export interface Asked {
  delivery: Delivery;
  download: AskedDownload | null;
}

export interface AskedDownload {
  downloadId: string;
  status: "queued" | "downloading" | "verifying" | "completed" | "failed" | "cancelled";
  /** When the download ended, in ms since 1970; null: it has not ended. */
  completedAt: number | null;
  /** True: the download saved a file or a folder. */
  hasContent: boolean;
  /** True: the download is a set. False: it is a single file. */
  isSet: boolean;
  totalSize: number;
  filesReceived: number;
  filesUnchanged: number;
  filesSkipped: number;
}

/** The place of a delivery in a list that has the newest local time first, then client ids in order. */
export type DeliveryPlace = Pick<Delivery, "clientId" | "localTime">;

export interface DeliveryFilter {
  clientId?: string | undefined;
  status?: DeliveryStatus | undefined;
  /** First and last local time of the deliveries to list, both included. */
  localFrom?: string | undefined;
  localTo?: string | undefined;
  /** First and last time of the deliveries to list, in ms since 1970, both included. */
  from?: number | undefined;
  to?: number | undefined;
  /** Only deliveries of these clients; null: of all clients. */
  sites: Sites | null;
  /** Only deliveries behind this place in the list. */
  after?: DeliveryPlace | undefined;
  limit: number;
}

/** Limits of a range of local times. */
export interface TimeBounds {
  /** First and last local time of the range, both included. */
  localFrom?: string | undefined;
  localTo?: string | undefined;
  /** Only local times before this one. */
  before?: string | undefined;
}

/** A schedule and one of its local times. */
export type TimeOf = Pick<Delivery, "localTime" | "scheduleId">;

/** The fields of a delivery that the board shows. */
export type Cell = Pick<Delivery, "clientId" | "dueAt" | "jobId" | "status">;

/** The deliveries of one local time of a schedule, as client ids by status. */
export interface TimeOnBoard {
  localTime: string;
  /** Ids of the clients by the status of their delivery, sorted. */
  clients: Record<DeliveryStatus, string[]>;
  /** When the next awaited delivery is due, in ms since 1970; null: none is awaited. */
  nextDueAt: number | null;
  /** Ids of the jobs that ask for these deliveries. */
  jobIds: Set<string>;
}

/** The number of deliveries of a local time, by status. */
export interface DeliveryCounts {
  localTime: string;
  counts: Record<DeliveryStatus, number>;
}

export interface ScheduleFilter {
  /** Only schedules whose names sort after this one. */
  after?: string | undefined;
  /** Only schedules with a delivery of these clients, or made with this token; null: all schedules. */
  seenBy?: { sites: Sites; tokenHash: string | null } | null;
  limit: number;
}

/** The rows of schedules. Each change is one conditional statement. */
export interface ScheduleRows {
  /** Inserts a schedule. @returns false: another schedule has the name */
  insert(schedule: Schedule): Promise<boolean>;
  get(name: string): Promise<Schedule | null>;
  byId(scheduleId: string): Promise<Schedule | null>;
  /** Lists schedules in the order of their names. */
  list(filter: ScheduleFilter): Promise<Schedule[]>;
  count(): Promise<number>;
  /** Replaces a schedule's row. @returns the row as it is now; null: another change came first */
  replace(next: Schedule): Promise<Schedule | null>;
  /** Removes a schedule. Its next times and deliveries are removed later, by {@link forget}. */
  remove(scheduleId: string): Promise<void>;
  /** Deletes a batch of rows of removed schedules. @returns whether there may be more */
  forget(): Promise<boolean>;
  /**
   * Deletes a batch of a schedule's deliveries before a local time, and of the rows that name their jobs.
   * Deliveries that are still awaited stay.
   * @returns whether there may be more
   */
  forgetBefore(scheduleId: string, localTime: string): Promise<boolean>;

  /** Lists a schedule's next times, one for each time zone. */
  times(scheduleId: string): Promise<NextTime[]>;
  /** Adds next times of schedules. A row of the same schedule and zone with a lower `timing` is replaced. */
  addTimes(times: readonly NextTime[]): Promise<void>;
  /** Moves a next time to `at` (null: removes it), unless its row has changed since `before` was read. */
  moveTime(before: NextTime, at: number | null, timing: number): Promise<void>;
  /** Lists the next times of active schedules that are due, earliest first. */
  dueTimes(now: number, limit: number): Promise<NextTime[]>;
  /** The earliest next time of all active schedules, in ms since 1970; null: there is none. */
  nextAt(): Promise<number | null>;

  /** Inserts the row that names the job of a time, unless there is one. @returns the row that is there now */
  begin(scheduledJob: ScheduledJob): Promise<ScheduledJob>;
  finish(scheduledJob: ScheduledJob): Promise<void>;

  /** Records requested runs before they are carried out: all of them or none. */
  insertRuns(runs: readonly RequestedRun[]): Promise<void>;
  /** Lists the recorded runs. Their jobs may not exist yet. */
  listRuns(): Promise<RequestedRun[]>;
  /** Deletes a recorded run. Called when its job exists, or will not be made. */
  removeRun(jobId: string): Promise<void>;
}

/** The rows of deliveries. */
export interface DeliveryRows {
  /** Inserts deliveries, except those that exist. */
  insert(deliveries: readonly Delivery[]): Promise<void>;
  /**
   * Returns those of the given clients that have an unfinished download of a schedule.
   * @param now ms since 1970; queued downloads of jobs that have expired by then do not count
   */
  busyAmong(schedule: string, clientIds: readonly string[], now: number): Promise<Set<string>>;
  /** Returns the deliveries of some clients at a local time. */
  at(scheduleId: string, localTime: string, clientIds: readonly string[]): Promise<Delivery[]>;
  /** Lists the deliveries that a job asks for, in the order of client ids, starting after `after`. */
  ofJob(jobId: string, after: string, limit: number): Promise<Delivery[]>;
  /** Assigns a delivery to another job. A skipped one becomes expected. @returns false: it changed first */
  askAgain(delivery: Delivery, jobId: string): Promise<boolean>;
  /** Returns the deliveries of some clients of a job, with their newest downloads. */
  asked(jobId: string, clientIds: readonly string[]): Promise<Asked[]>;
  /** Lists deliveries that are still awaited although they are due. */
  due(now: number, limit: number): Promise<Asked[]>;
  /** Lists unfulfilled deliveries of all schedules, starting after `after`; null: from the first. */
  open(after: DeliveryKey | null, limit: number): Promise<Asked[]>;
  /** When the next awaited delivery is due, in ms since 1970; null: none is awaited. */
  nextDue(): Promise<number | null>;
  /**
   * Compare and set of at most {@link CHANGED_AT_ONCE} deliveries. Updates their status, files and bytes.
   * @returns the changed deliveries, in any order, without those that somebody else changed first
   */
  change(changes: readonly DeliveryChange[]): Promise<Delivery[]>;
  /**
   * Lists deliveries, newest local time first, then by client.
   * @param inTurn runs each query when the caller has its turn
   */
  list(scheduleId: string, filter: DeliveryFilter, inTurn: InTurn): Promise<Delivery[]>;
  /** The newest local time that has deliveries; undefined: there is none. */
  newestTime(scheduleId: string, bounds: TimeBounds): Promise<string | undefined>;
  /**
   * Lists the deliveries of a local time in the order of client ids.
   * @param after only clients whose ids sort after this one
   * @param sites only these clients; null: all
   */
  cells(time: TimeOf, after: string, sites: Sites | null, limit: number): Promise<Cell[]>;
  /** Counts of the newest local time's deliveries; null: none. @param sites only these clients; null: all */
  latest(scheduleId: string, sites: Sites | null): Promise<DeliveryCounts | null>;
  /** The total size of a set's files in bytes, including files that the server had already. */
  bytesOf(downloadId: string): Promise<number>;
}

/** Maximum number of deliveries that one statement changes. Such a statement takes about a millisecond. */
export const CHANGED_AT_ONCE = 50;

/** A delivery as its row was read, and the state to change it to. */
export interface DeliveryChange {
  delivery: Delivery;
  state: DeliveryState;
}

/** The key of a delivery's row. */
export type DeliveryKey = Pick<Delivery, "clientId" | "localTime" | "scheduleId">;
