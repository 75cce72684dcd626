import type { Sites } from "./access/sites.ts";
import type { Download, Order, Queued } from "./download.ts";
import type { Keep } from "./keep.ts";

/* A job: one request to many clients, with one download for each client. Times are ms since 1970. */

/** The statuses of a job. `running` and `paused` are those of a job that has not ended. */
export const JOB_STATUSES = [
  "running",
  "paused",
  "completed",
  "failed",
  "cancelled",
  "stopped",
] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

/** Selects the clients of a job. */
export type Selection =
  | { all: true }
  /** Clients by id, by labels, or both. If both are given, a client has to match both. */
  | { ids?: string[] | undefined; labels?: string | undefined };

/** The request that a job makes to each of its clients. */
export interface JobOrder extends Omit<Order, "clientId" | "jobId" | "localTime"> {
  /** Whether a download waits or fails at once, if its client is not connected when the download is made. */
  ifOffline: "wait" | "fail";
}

/** The share of failures at which a job stops early. */
export interface StopWhen {
  /** Percentage, 1 to 100, of failed downloads among those that completed or failed. */
  failedPercent: number;
  /** The job never stops early before this many downloads have completed or failed. */
  atLeast: number;
}

/**
 * A request to repeat the downloads of a job that have these statuses. Only downloads with ids smaller than
 * `before` are repeated, which leaves out those that the rerun itself made.
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
  /**
   * The local time that all clients of the job share, as `2026-11-30T02:30:00`; null: it differs between
   * clients.
   */
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
  /** The download that the job asks for, as JSON from the request that made the job. */
  download: unknown;
  createdAt: number;
  /**
   * Name of the token that made the job, `API_TOKEN` for the one of the settings; null: no token was needed.
   */
  createdBy: string | null;
  /** Hash of the token that made the job; null: the API_TOKEN of the settings, or no token was needed. */
  createdWith: string | null;
  /** Time at which downloads that are still queued fail, in ms since 1970; null: the job never expires. */
  expiresAt: number | null;
  endedAt: number | null;
  /** Maximum number of downloads of the job that run at once; null: only the server's limits apply. */
  maxConcurrent: number | null;
  /**
   * Downloads start at times spread over this many ms, from the time `spreadFrom` on; 0: all may start at
   * once.
   */
  spreadMs: number;
  spreadFrom: number;
  stopWhen: StopWhen | null;
  /** How long the job's results are kept; null: as long as the setting KEEP_DAYS says. */
  keep: Keep | null;
  /** The schedule and the time for which the job was made; null: no schedule made the job. */
  occurrence: Occurrence | null;
  /** A request, still being carried out, to repeat failed or cancelled downloads; null: there is none. */
  rerun: Rerun | null;
  /** True: some downloads of the job may still have to be made or changed to match the job. */
  unsettled: boolean;
  /** How often the job's row has changed. Compare-and-set checks this number. */
  revision: number;
}

/** A request for a job, before the job is made. */
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
  /** Time from the making of the job until it expires, in ms; null: the job never expires. */
  expiresIn: number | null;
}

/** Totals over the newest download of each client of a job. */
export interface JobTotals {
  /** The number of clients of the job. */
  total: number;
  /**
   * The number of clients by the status of their newest download. A client without a download counts as
   * queued.
   */
  counts: Record<Download["status"], number>;
  /** Bytes that are flushed to the disk, and bytes to receive, as far as the sizes are known. */
  bytesReceived: number;
  totalSize: number;
  /** Files received: those of sets, and one for each completed download of a single file. */
  filesReceived: number;
  /** Files of sets that were skipped. */
  filesSkipped: number;
}

/** A client of a job. */
export interface Member {
  clientId: string;
  /** True: the job has made a download for the client. */
  hasDownload: boolean;
}

/**
 * A download that replaces another one. It may not exist yet, because the row of the replaced download
 * names the new one before the new one is made.
 */
export type Replacement = Pick<Download, "downloadId" | "localTime">;

export interface JobFilter {
  status?: JobStatus | undefined;
  /** Only jobs with one of these clients or made with this token; null: all jobs. */
  seenBy?: { sites: Sites; tokenHash: string | null } | null;
  /** Only jobs that are older than the job with this id. */
  before?: string | undefined;
  /** Maximum number of jobs to return. */
  limit: number;
}

/** A key that a request carries so that repeating the request makes no second job. */
export interface IdempotencyKey {
  /**
   * Hash of the token that sent the request; `API_TOKEN`: the token of the settings; empty: no token was
   * needed.
   */
  owner: string;
  key: string;
  /** SHA-256 of the request, in hex. */
  bodyHash: string;
  /** Id of the job that the request made. */
  jobId: string;
  createdAt: number;
}

/** Maximum number of downloads that one statement inserts. Such a statement takes a millisecond or two. */
export const INSERTED_AT_ONCE = 20;

/** A client's download that is to be inserted. */
export interface NewDownload {
  download: Queued;
  /** Earliest start of the download, in ms since 1970; null: at once. */
  startsAt: number | null;
}

/** The rows of jobs. Each change is one conditional statement. */
export interface JobRows {
  /** Inserts a job that stays invisible until {@link publish}. If the job exists, nothing changes. */
  draft(job: Job): Promise<void>;
  /**
   * Adds clients to a job, except those that are in the job already.
   * @returns the number of added clients
   */
  addMembers(jobId: string, clientIds: readonly string[]): Promise<number>;
  /**
   * Makes a job visible, with all its clients. From then on the job survives a crash. If two servers publish
   * the same job, both get it.
   * @throws Error if there is no draft
   */
  publish(jobId: string): Promise<Job>;
  /** Removes the drafts that were begun before a time, in ms since 1970, and never published. */
  dropDrafts(before: number): Promise<void>;
  get(jobId: string): Promise<Job | null>;
  /** Lists jobs, newest first. */
  list(filter: JobFilter): Promise<Job[]>;
  /** Counts jobs by status. */
  countByStatus(): Promise<Record<JobStatus, number>>;
  /**
   * Lists the jobs that have not ended, and ended jobs whose downloads still have to be changed to match the
   * job's end. Oldest first.
   */
  open(): Promise<Job[]>;
  /** Lists the jobs that have not ended and that new clients may still join. */
  continuous(): Promise<Job[]>;
  /**
   * Replaces the row of a job, if nobody else has changed the row since.
   * @returns the job as it is now; null: another change came first
   */
  replace(next: Job): Promise<Job | null>;
  /**
   * The earliest time of expiry after `after` among jobs that have not ended, in ms since 1970; null: there
   * is none.
   */
  nextExpiry(after: number): Promise<number | null>;
  /**
   * Sums up the downloads of a job in one statement, so that the sums agree with one another.
   * @param sites only these clients; null: all
   */
  totals(jobId: string, sites: Sites | null): Promise<JobTotals>;
  /** Lists clients of a job in the order of their ids, starting after `after`. */
  members(jobId: string, after: string, limit: number): Promise<Member[]>;
  /**
   * Lists the downloads of a job with a given status, only the newest one of each client, in the order of
   * download ids, starting after `after`.
   */
  downloads(
    jobId: string,
    status: Download["status"],
    after: string,
    limit: number,
  ): Promise<Pick<Download, "clientId" | "downloadId" | "localTime">[]>;
  /**
   * Returns the download that is recorded as the replacement of a client's earlier one, and may not exist
   * yet; null: none is recorded.
   */
  replacementFor(jobId: string, clientId: string): Promise<Replacement | null>;
  /**
   * Inserts a job's download for a client, unless the job has one for this client that was not replaced. A
   * power cut before the next flush may undo this.
   * @param startsAt earliest start, in ms since 1970; null: at once
   * @returns the inserted download; null: nothing was inserted
   */
  insertDownload(download: Queued, startsAt: number | null): Promise<Queued | null>;
  /**
   * Inserts the downloads of at most {@link INSERTED_AT_ONCE} clients, as {@link insertDownload} does for
   * one.
   * @returns the inserted downloads
   */
  insertDownloads(downloads: readonly NewDownload[]): Promise<Queued[]>;
  /** Resolves when all earlier changes are flushed to the disk. */
  flush(): Promise<void>;
  /** Returns the row of an idempotency key that a request took at or after `since`; null: there is none. */
  findKey(owner: string, key: string, since: number): Promise<IdempotencyKey | null>;
  /**
   * Takes an idempotency key for a request, if the key is free or was taken before `forgetBefore`.
   * @returns the row that the key has now
   */
  takeKey(key: IdempotencyKey, forgetBefore: number): Promise<IdempotencyKey>;
}
