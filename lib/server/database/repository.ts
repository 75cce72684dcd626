import type { LabelChanges, Labels } from "../../api/labels.ts";
import type { Selector } from "../../api/selector.ts";
import type { InTurn } from "../../util/fair-turns.ts";
import type { Sites } from "../access/sites.ts";
import type { AuditRows } from "../audit/audit.ts";
import type { SetRows } from "../set.ts";
import type { AccessRows } from "../access/rows.ts";
import type { Active, Download, Downloading, Queued } from "../download.ts";
import type { JobRows } from "../job.ts";
import type { KeepRows } from "../keep.ts";
import type { ServerRows } from "../servers/rows.ts";
import type { OutboxRows, WebhookRows } from "../webhook.ts";
import type { DeliveryRows, ScheduleRows } from "../schedule.ts";

/** A client that has registered at least once. Times are in ms since 1970. */
export interface RegisteredClient {
  clientId: string;
  /** SHA-256 of the client's key, in hex. */
  keyHash: string;
  /**
   * When the client enrolled with a token or an enrolment key; null: never, so a client with another key may
   * also use the id.
   */
  enrolledAt: number | null;
  /** When an admin revoked the client, so that its key is refused; null: never. */
  revokedAt: number | null;
  /** Optional features of the client's program, such as sets, as of its last registration. */
  features: string[];
  hostname: string;
  platform: string;
  version: string;
  /** IANA name of the time zone that the client reported; null: none. */
  reportedTimeZone: string | null;
  remoteAddress: string;
  connectedAt: number;
  lastSeenAt: number;
}

/** Settings of a client that operators made. Registrations do not change them. */
export interface ClientSettings {
  labels: Labels;
  /** IANA name that replaces the reported time zone; null: the reported one is used. */
  timeZone: string | null;
}

/** A client as it registered, with its settings. */
export interface Client extends RegisteredClient, ClientSettings {
  /**
   * When the server to which the client is connected last renewed its lease, in ms since 1970; undefined: the
   * client is connected to no server, or the database is SQLite.
   */
  heldAt?: number;
  /**
   * A problem of the client that a person must solve, in a sentence, as stored by the server that found it;
   * undefined: none.
   */
  heldProblem?: string;
}

export interface DownloadFilter {
  status?: Download["status"];
  clientId?: string;
  jobId?: string;
  /** Only downloads of these clients; null: of all clients. */
  sites?: Sites | null;
  /** Only failed downloads that were not retried. */
  open?: boolean;
  /** Only downloads with a smaller id, which are older. */
  before?: string;
  /** Maximum number of downloads that the query returns. */
  limit: number;
}

export interface ClientFilter {
  /** Only clients with a greater id. */
  after?: string;
  /** Only these clients; null: all clients. */
  sites?: Sites | null;
  /** "in": only clients with these ids; "not_in": only clients with other ids. */
  ids?: { are: "in" | "not_in"; ids: ReadonlySet<string> } | undefined;
  /**
   * true: only clients that are connected to a server; false: only clients that are not. Can be used only if
   * several servers can share the database.
   */
  held?: boolean | undefined;
  /** Only clients with matching labels. */
  selector?: Selector | undefined;
  /** Limit on the number of clients. */
  limit: number;
}

export interface EndsFilter {
  /** Only downloads whose latest change has a revision greater than `after`, and at most `upTo`. */
  after: number;
  upTo: number;
  /** Only downloads of these clients; null: of all clients. */
  sites: Sites | null;
  /** Maximum number of downloads that the query returns. */
  limit: number;
}

/** Limits on the downloads that may be downloading or verifying at the same time. */
export interface Limits {
  total: number;
  perClient: number;
}

/**
 * Returns the limits for downloads of jobs. They are lower where possible, to leave room for downloads
 * without a job, for which a person waits.
 */
export function limitsOfJobs({ total, perClient }: Limits): Limits {
  const reserved = total < 4 ? Math.min(1, total - 1) : Math.ceil(total / 8);
  return { total: total - reserved, perClient: Math.max(1, perClient - 1) };
}

/**
 * A line of the queue: the downloads of one job, named by its id, or all downloads without a job, named by
 * null. The lines take turns to start downloads.
 */
export type Line = string | null;

/**
 * A client, and a line of the queue in which it has due downloads: those of a job, or those without a job.
 */
export interface Waiting {
  clientId: string;
  line: Line;
}

/** The number of a client's downloads of one job, or without a job, that are downloading or verifying. */
export interface ActiveLine {
  clientId: string;
  line: Line;
  active: number;
  /** How many of these downloads run on this server. */
  own: number;
}

/** Number of downloads by status, and the sum of their durable bytes. */
export interface Totals {
  downloads: Record<Download["status"], number>;
  bytes: number;
  /** Number of downloads that failed at any time and were not retried. */
  openFailures: number;
}

/** Thrown if another download has the same `savedPath`. */
export class NameTakenError extends Error {
  override name = "NameTakenError";
}

/**
 * The rows of the database, which are the only record of the states of downloads and clients. Each change is
 * one conditional statement, so that of two conflicting changes, by one server or several, only one succeeds.
 *
 * A statement blocks the event loop while it runs. So methods find rows by an index, and read at most `limit`
 * rows. Work that has no bound is done in pieces, taking turns with other callers.
 */
export interface Repository {
  /**
   * Inserts a new download.
   * @returns the row, with its revision
   * @throws FdsError `storage_full`
   */
  insertDownload(download: Queued): Promise<Queued>;
  getDownload(downloadId: string): Promise<Download | null>;
  /** Lists downloads, newest first. */
  listDownloads(filter: DownloadFilter): Promise<Download[]>;
  /**
   * Counts the downloads that were requested since a time, in ms since 1970.
   * @param sites only downloads of these clients; null: of all clients
   * @param inTurn runs one query, taking turns with other callers
   */
  totalsSince(since: number, sites?: Sites | null, inTurn?: InTurn): Promise<Totals>;
  /** Returns all downloads that are downloading or verifying. */
  activeDownloads(): Promise<Active[]>;
  /** Returns which of the given download ids belong to unfinished downloads. */
  unendedAmong(downloadIds: string[]): Promise<Set<string>>;
  /**
   * Returns the number of downloads that are downloading or verifying for each client. The key is the
   * client's id. Clients without any are left out.
   */
  countActive(): Promise<Map<string, number>>;
  /** Returns the revision of the latest change of a download; 0: there are no downloads. */
  latestRevision(): Promise<number>;
  /** Lists downloads that changed after a revision, in the order of their changes. */
  changedSince(revision: number, limit: number): Promise<Download[]>;
  /** Returns the revision after which exactly `count` downloads ended; 0: no more than `count` have ended. */
  beforeLatestEnds(count: number): Promise<number>;
  /**
   * Lists ended downloads in the order of their changes. With `sites`, the query reads all downloads that
   * ended between the two revisions. So `after` must not be less than the revision that
   * {@link beforeLatestEnds} returns, or very many downloads could be read.
   */
  endsBetween(filter: EndsFilter): Promise<Download[]>;
  /**
   * Writes `next` by compare-and-set, if the row still has `next.revision`.
   * @param before contents of the row at this revision, so that only columns that differ are written
   * @returns the row with its new revision; null: another change came first
   * @throws NameTakenError if another download has `next.savedPath`
   */
  replaceDownload<T extends Download>(next: T, before?: Download): Promise<T | null>;
  /**
   * Claims a client's oldest due download in a line of the queue, if the limits and the job allow another
   * running download. The download becomes `downloading`, with the next epoch and attempt.
   * @returns null: no download was claimed
   */
  claimDownload(
    clientId: string,
    line: Line,
    limits: Limits,
    now: number,
  ): Promise<Downloading | null>;
  /**
   * Returns the lines of the queue in which a client has due downloads: one for each job, and one for
   * downloads without a job.
   */
  waitingFor(clientId: string, now: number): Promise<Waiting[]>;
  /**
   * Returns the clients with downloads that became due after a time, up to `now`, in ms since 1970, and the
   * jobs of these downloads. A due time further ahead than the longest wait counts as reached, as it means
   * that the clock was set back.
   */
  dueSince(after: number, now: number): Promise<Waiting[]>;
  /**
   * Returns the number of downloads that are downloading or verifying, by client and by job. A client's
   * downloads without a job are counted together.
   */
  countActiveLines(): Promise<ActiveLine[]>;
  /**
   * Returns the earliest time after `now` at which a queued download becomes due, in ms since 1970; null:
   * none.
   */
  nextDueAt(now: number): Promise<number | null>;

  getClient(clientId: string): Promise<Client | null>;
  /** Lists clients, sorted by id. */
  listClients(filter: ClientFilter): Promise<Client[]>;
  /**
   * Writes a client if it does not exist, or if its key and revocation are still those of `replaces`.
   * @returns false if another registration or a revocation came first
   */
  registerClient(client: RegisteredClient, replaces: RegisteredClient | null): Promise<boolean>;
  /** Returns the labels of a client; empty if the client is unknown. */
  labelsOf(clientId: string): Promise<Labels>;
  /** Sets labels of a client, and removes the labels whose new value is null, all in one statement. */
  changeLabels(clientId: string, changes: LabelChanges): Promise<void>;
  /** Sets the time zone of a client. @param timeZone IANA name; null: the reported zone is used */
  setTimeZone(clientId: string, timeZone: string | null): Promise<void>;
  /**
   * Revokes a client, unless it was revoked before.
   * @returns the client's current row; null: the client is unknown
   */
  revokeClient(clientId: string, at: number): Promise<Client | null>;
  /**
   * Records when clients were last seen. A later time that is already recorded is kept.
   * @param lastSeen times in ms since 1970, by client id
   */
  clientsSeen(lastSeen: ReadonlyMap<string, number>): Promise<void>;

  /** Rows of the files of sets. */
  readonly sets: SetRows;
  /** Rows of tokens, enrolment keys, sessions and sign-in codes. */
  readonly access: AccessRows;
  /** Rows of jobs, which are requests to many clients. */
  readonly jobs: JobRows;
  /** Rows for retention: holds, removals and stored bytes. */
  readonly keep: KeepRows;
  /** Rows of the servers that share the database; null: it can be used by one server only. */
  readonly servers: ServerRows | null;
  /** Rows of webhooks. */
  readonly webhooks: WebhookRows;
  /** Rows of messages for webhooks. */
  readonly outbox: OutboxRows;
  /** Rows of schedules, which make jobs at their times. */
  readonly schedules: ScheduleRows;
  /** Rows of deliveries, which are what schedules expect of clients. */
  readonly deliveries: DeliveryRows;
  /** Rows of the audit, which records who did what. */
  readonly audit: AuditRows;

  /** Reports whether the database answers. If it does not, all calls that need it wait. */
  isThere(): Promise<boolean>;
  /** Whether the database is unreachable, and calls have waited for it for at least about a second. */
  readonly isAway: boolean;
  close(): Promise<void>;
}
