import type { Sites } from "./access/sites.ts";
import type { Download, Order, Queued } from "./download.ts";
import type { Keep } from "./keep.ts";

/* What a job is: one request to many clients, with one download for each. Times are ms since 1970. */

/** The first two are those of a job that has not ended. */
export const JOB_STATUSES = [
  "running",
  "paused",
  "completed",
  "failed",
  "cancelled",
  "stopped",
] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

/** The clients that a job is for. */
export type Selection =
  | { all: true }
  /** Where both are given, both must match. */
  | { ids?: string[] | undefined; labels?: string | undefined };

/** What a job asks of each client. */
export interface JobOrder extends Omit<Order, "clientId" | "jobId" | "localTime"> {
  /** What happens with a client that is not connected when its turn comes. */
  ifOffline: "wait" | "fail";
}

/** When a job is stopped early because of failures. */
export interface StopWhen {
  /** Failed share of the downloads that completed or failed, in percent, 1 to 100. */
  failedPercent: number;
  /** Failures before which the share does not count. */
  atLeast: number;
}

/**
 * The statuses whose downloads are asked for again. Only downloads with smaller ids than the given one are,
 * so a new one is not asked for twice.
 */
export interface Rerun {
  statuses: ("failed" | "cancelled")[];
  before: string;
}

/** The time of a schedule for which a job was made. */
export interface Occurrence {
  /** Name of the schedule. */
  schedule: string;
  at: number;
  /** The local time at all of the job's clients; null: it differs between clients. */
  localTime: string | null;
}

export interface Job {
  /** UUIDv7, so ids sort by creation time. */
  jobId: string;
  name: string | null;
  status: JobStatus;
  selection: Selection;
  membership: "snapshot" | "continuous";
  order: JobOrder;
  /** The request for each download, as it was received. */
  download: unknown;
  createdAt: number;
  /** Name of the maker's token. */
  createdBy: string | null;
  /** Hash of the maker's token; null: not a token that an admin made. */
  createdWith: string | null;
  /** Downloads that are still queued at this time fail; null: none do. */
  expiresAt: number | null;
  endedAt: number | null;
  /** Most downloads of the job that run at once; null: no limit of its own. */
  maxConcurrent: number | null;
  /** The starts are spread over this span, in ms, from a time on. */
  spreadMs: number;
  spreadFrom: number;
  stopWhen: StopWhen | null;
  /** How long its results are kept; null: as results without a rule. */
  keep: Keep | null;
  /** The time of a schedule for which it was made; null: a person asked for it. */
  occurrence: Occurrence | null;
  /** A rerun that is not finished yet. */
  rerun: Rerun | null;
  /** True: its downloads may not yet be as the job says, so settling has work to do. */
  unsettled: boolean;
  /** Number of its changes, for compare-and-set. */
  revision: number;
}

/** What somebody asks of many clients. */
export interface JobPlan extends Pick<
  Job,
  | "download"
  | "keep"
  | "maxConcurrent"
  | "membership"
  | "name"
  | "order"
  | "selection"
  | "spreadMs"
  | "stopWhen"
> {
  /** Time until it expires, in ms; null: never. */
  expiresIn: number | null;
}

/** Totals over a job's downloads, counting the newest of each client. */
export interface JobTotals {
  /** Number of clients. */
  total: number;
  /** Clients by the status of their newest download; a client without a download counts as queued. */
  counts: Record<Download["status"], number>;
  /** Bytes that are durable, and bytes to receive, as far as that is known. */
  bytesReceived: number;
  totalSize: number;
  /** Files of sets, and one for each completed download of a single file. */
  filesReceived: number;
  /** Files of sets. */
  filesSkipped: number;
}

/** A client of a job. */
export interface Member {
  clientId: string;
  /** True: its download has been made. */
  hasDownload: boolean;
}

/** A download that is to take the place of another one, announced on the old row. */
export type Promised = Pick<Download, "downloadId" | "localTime">;

export interface JobFilter {
  status?: JobStatus | undefined;
  /** Only jobs with one of these clients, or made with that token; null: all. */
  seenBy?: { sites: Sites; tokenHash: string | null } | null;
  /** Only jobs with a smaller id, which are older. */
  before?: string | undefined;
  /** Most rows. */
  limit: number;
}

/** Makes sure that a repeated request makes only one job. */
export interface IdempotencyKey {
  /** The token that sent it. */
  owner: string;
  key: string;
  /** SHA-256 of the request, hex. */
  bodyHash: string;
  /** The job that was made. */
  jobId: string;
  createdAt: number;
}

/** Most downloads that are inserted by one statement, which takes a millisecond or two. */
export const INSERTED_AT_ONCE = 20;

/** A client's download that is to be inserted. */
export interface NewDownload {
  download: Queued;
  /** Earliest start, ms since 1970; null: at once. */
  startsAt: number | null;
}

/** The rows of jobs. Each change is one conditional statement. */
export interface JobRows {
  /** Inserts a job that stays invisible until {@link publish}; if it exists already, nothing changes. */
  draft(job: Job): Promise<void>;
  /** Adds clients to a job, except those in it already. @returns how many were added */
  addMembers(jobId: string, clientIds: readonly string[]): Promise<number>;
  /**
   * Makes the job visible with all its clients; from here on it survives a crash. If two servers make the
   * same job, both get it.
   * @throws Error where there is no draft
   */
  publish(jobId: string): Promise<Job>;
  /** Removes drafts begun before a time, ms since 1970, that were never published. */
  dropDrafts(before: number): Promise<void>;
  get(jobId: string): Promise<Job | null>;
  /** Newest first. */
  list(filter: JobFilter): Promise<Job[]>;
  /** Number of jobs by status. */
  countByStatus(): Promise<Record<JobStatus, number>>;
  /** Jobs that have not ended, and those whose downloads are not settled; oldest first. */
  open(): Promise<Job[]>;
  /** Jobs that have not ended and that clients may still join. */
  continuous(): Promise<Job[]>;
  /** Compare and set. @returns the job as it is now; null: another change came first */
  replace(next: Job): Promise<Job | null>;
  /** The first time after `after` at which a job that has not ended expires, or null. */
  nextExpiry(after: number): Promise<number | null>;
  /** Read in one statement, so that the sums match. @param sites only these clients; null: all */
  totals(jobId: string, sites: Sites | null): Promise<JobTotals>;
  /** By client id, after a given one. */
  members(jobId: string, after: string, limit: number): Promise<Member[]>;
  /** The newest downloads of clients with a status, by client id, after a given one. */
  downloads(
    jobId: string,
    status: Download["status"],
    after: string,
    limit: number,
  ): Promise<Pick<Download, "clientId" | "downloadId" | "localTime">[]>;
  /** The download that was announced for a client but not made yet. */
  promised(jobId: string, clientId: string): Promise<Promised | null>;
  /**
   * Inserts a client's download, unless it has one. A power cut before the next flush may undo it.
   * @param startsAt earliest start
   */
  insertDownload(download: Queued, startsAt: number | null): Promise<Queued | null>;
  /**
   * The same for a few clients, no more than {@link INSERTED_AT_ONCE}.
   * @returns the downloads that were inserted
   */
  insertDownloads(several: readonly NewDownload[]): Promise<Queued[]>;
  /** Resolves when all changes before the call survive a power cut. */
  flush(): Promise<void>;
  /** The job made for a key since a time, or null. */
  findKey(owner: string, key: string, since: number): Promise<IdempotencyKey | null>;
  /**
   * Takes a key for a request, if it is free or older than a time.
   * @returns the row that the key now has
   */
  takeKey(key: IdempotencyKey, forgetBefore: number): Promise<IdempotencyKey>;
}
