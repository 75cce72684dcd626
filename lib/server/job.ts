import type { Sites } from "./access/sites.ts";
import type { Download, Order, Queued } from "./download.ts";
import type { Keep } from "./keep.ts";

/* What a job is: one request to many clients, with a download for each. Times are ms since 1970. */

/** The first two until it has ended. */
export const JOB_STATUSES = [
  "running",
  "paused",
  "completed",
  "failed",
  "cancelled",
  "stopped",
] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

/** Which clients a job is for. */
export type Selection =
  | { all: true }
  /** Both must hold, where both are given. */
  | { ids?: string[] | undefined; labels?: string | undefined };

/** What is asked of each client. */
export interface JobOrder extends Omit<Order, "clientId" | "jobId" | "localTime"> {
  /** What becomes of a client that is not connected when the job comes to it. */
  ifOffline: "wait" | "fail";
}

/** A job ends before its time when so many of its downloads failed. */
export interface StopWhen {
  /** Share of failures among the downloads that completed or failed, in percent, 1 to 100. */
  failedPercent: number;
  /** Not before so many of them did. */
  atLeast: number;
}

/** The statuses of downloads that a job asks for again, before a download with an id that is as new. */
export interface Rerun {
  statuses: ("failed" | "cancelled")[];
  before: string;
}

/** A time of a schedule, for which it makes a job. */
export interface Occurrence {
  /** Name of the schedule. */
  schedule: string;
  at: number;
  /** The local time of it at each of the job's clients; null: each has its own. */
  localTime: string | null;
}

export interface Job {
  /** UUIDv7, so ids sort by the time of their making. */
  jobId: string;
  name: string | null;
  status: JobStatus;
  selection: Selection;
  membership: "snapshot" | "continuous";
  order: JobOrder;
  /** The download as it was asked for. */
  download: unknown;
  createdAt: number;
  /** Name of the token of whoever made it. */
  createdBy: string | null;
  /** Hash of that token; null: an admin did not make it. */
  createdWith: string | null;
  /** What is queued then, or later, fails; null: nothing does. */
  expiresAt: number | null;
  endedAt: number | null;
  /** Most of its downloads that run at once; null: as many as there are slots. */
  maxConcurrent: number | null;
  /** The starts are spread over so long, in ms, from a time on. */
  spreadMs: number;
  spreadFrom: number;
  stopWhen: StopWhen | null;
  /** How long what comes of it is kept; null: as all that has no rule. */
  keep: Keep | null;
  /** The time of a schedule that it is for; null: somebody asked for it. */
  occurrence: Occurrence | null;
  /** A rerun that is not yet done. */
  rerun: Rerun | null;
  /** Its downloads may not be yet as the job says: there is work to be done on them. */
  unsettled: boolean;
  /** Counts its changes: what compare-and-set compares. */
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
  /** Its time is over after so long, in ms; null: never. */
  expiresIn: number | null;
}

/** What a job's downloads add up to, the newest of each client. */
export interface JobTotals {
  /** Clients. */
  total: number;
  /** Number of clients by the state of their newest download; a client without one counts as queued. */
  counts: Record<Download["status"], number>;
  /** Bytes that are safe, and bytes to be received as far as that is known. */
  bytesReceived: number;
  totalSize: number;
  /** Files of sets. */
  filesReceived: number;
  filesSkipped: number;
}

/** A client of a job. */
export interface Member {
  clientId: string;
  /** There is a download for it. */
  hasDownload: boolean;
}

/** A download that comes in place of another one. */
export type Promised = Pick<Download, "downloadId" | "localTime">;

export interface JobFilter {
  status?: JobStatus | undefined;
  /** Only jobs with a client of these, or made with that token; null: all. */
  seenBy?: { sites: Sites; tokenHash: string | null } | null;
  /** Only jobs with a smaller id, that is older ones. */
  before?: string | undefined;
  /** Most rows to give. */
  limit: number;
}

/** A promise that one request makes one job, however often it is sent. */
export interface IdempotencyKey {
  /** Whose it is. */
  owner: string;
  key: string;
  /** SHA-256 of the request, hex. */
  bodyHash: string;
  /** The job that it makes. */
  jobId: string;
  createdAt: number;
}

/** The rows of jobs. Each change is one conditional statement, as of all rows. */
export interface JobRows {
  /** Begins a job that nobody sees before {@link publish}; one that was begun before stays. */
  draft(job: Job): Promise<void>;
  /** Adds clients to a job; who is in it stays. @returns how many are new */
  addMembers(jobId: string, clientIds: readonly string[]): Promise<number>;
  /**
   * From now on the job is there, with all its clients, whatever becomes of the server. Of two servers that
   * make the same one, each gets it.
   * @throws Error where it was not begun
   */
  publish(jobId: string): Promise<Job>;
  /** Forgets jobs that were begun before a time, ms since 1970, and never published. */
  dropDrafts(before: number): Promise<void>;
  get(jobId: string): Promise<Job | null>;
  /** Newest first. */
  list(filter: JobFilter): Promise<Job[]>;
  /** How many jobs have each status. */
  countByStatus(): Promise<Record<JobStatus, number>>;
  /** Jobs that have not ended, and those with work to be done on their downloads; the oldest first. */
  open(): Promise<Job[]>;
  /** Jobs that have not ended and that clients may still join. */
  continuous(): Promise<Job[]>;
  /** Compare and set. @returns the job as it now is; null: another change came first */
  replace(next: Job): Promise<Job | null>;
  /** When the next one that has not ended expires after a time, or null. */
  nextExpiry(after: number): Promise<number | null>;
  /** One statement, so that it always adds up. @param sites only of these clients; null: of all */
  totals(jobId: string, sites: Sites | null): Promise<JobTotals>;
  /** By id, behind one. */
  members(jobId: string, after: string, limit: number): Promise<Member[]>;
  /** The newest downloads of clients with a status, by id, behind one. */
  downloads(
    jobId: string,
    status: Download["status"],
    after: string,
    limit: number,
  ): Promise<Pick<Download, "clientId" | "downloadId" | "localTime">[]>;
  /** What was promised of the next download of a client, where that was not made. */
  promised(jobId: string, clientId: string): Promise<Promised | null>;
  /**
   * Makes a client's download, unless it has one. What becomes of it may be undone by a power cut
   * before the next flush.
   * @param startsAt not to be started before
   */
  insertDownload(download: Queued, startsAt: number | null): Promise<Queued | null>;
  /** Resolves when every change before the call outlives a power cut. */
  flush(): Promise<void>;
  /** What a key stands for that was taken since a time, or null. */
  findKey(owner: string, key: string, since: number): Promise<IdempotencyKey | null>;
  /**
   * Takes a key for a request, if it is free, or older than a time.
   * @returns what the key now stands for
   */
  takeKey(key: IdempotencyKey, forgetBefore: number): Promise<IdempotencyKey>;
}
