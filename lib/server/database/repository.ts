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

/** A client as it registered. Times are ms since 1970. */
export interface RegisteredClient {
  clientId: string;
  /** SHA-256 of the client's key, hex. */
  keyHash: string;
  /** When it enrolled with a token; null: never, so the id is not bound to its key. */
  enrolledAt: number | null;
  /** When an admin revoked it: since then its key is refused. */
  revokedAt: number | null;
  /** Abilities beyond single files, from its last registration. */
  features: string[];
  hostname: string;
  platform: string;
  version: string;
  /** IANA name; null: it reported none. */
  reportedTimeZone: string | null;
  remoteAddress: string;
  connectedAt: number;
  lastSeenAt: number;
}

/** What operators set of a client; registrations do not change it. */
export interface ClientSettings {
  labels: Labels;
  /** IANA name that replaces the reported zone; null: use the reported one. */
  timeZone: string | null;
}

/** A client as the database knows it. */
export interface Client extends RegisteredClient, ClientSettings {
  /**
   * When the server that holds it last renewed that, ms since 1970; undefined: no server holds it, or only
   * this server exists.
   */
  heldAt?: number;
  /** A problem for a person to solve, found by another server. */
  heldProblem?: string;
}

export interface DownloadFilter {
  status?: Download["status"];
  clientId?: string;
  jobId?: string;
  /** Only downloads of these clients; null: all. */
  sites?: Sites | null;
  /** Only failed downloads that were not asked for again. */
  open?: boolean;
  /** Only downloads with a smaller id, which are older. */
  before?: string;
  /** Most rows. */
  limit: number;
}

export interface ClientFilter {
  /** Only clients with a greater id. */
  after?: string;
  /** Only these clients; null: all. */
  sites?: Sites | null;
  /** Only clients with these ids, or only the others. */
  ids?: { are: "in" | "not_in"; ids: ReadonlySet<string> } | undefined;
  /** Only clients that some server holds, or only the others; for several servers only. */
  held?: boolean | undefined;
  /** Only clients with matching labels. */
  selector?: Selector | undefined;
  /** Most rows. */
  limit: number;
}

export interface EndsFilter {
  /** Only changes after this revision, up to another one. */
  after: number;
  upTo: number;
  /** Only downloads of these clients; null: all. */
  sites: Sites | null;
  /** Most rows. */
  limit: number;
}

/** Most downloads that may be downloading or verifying at the same time. */
export interface Limits {
  total: number;
  perClient: number;
}

/** The slots that jobs may use. The rest is kept free for single downloads that a person waits for. */
export function limitsOfJobs({ total, perClient }: Limits): Limits {
  const kept = total < 4 ? Math.min(1, total - 1) : Math.ceil(total / 8);
  return { total: total - kept, perClient: Math.max(1, perClient - 1) };
}

/** A line of downloads whose turn comes together: a job's id, or null for downloads without a job. */
export type Line = string | null;

/** A client that has waiting downloads of a line. */
export interface Waiting {
  clientId: string;
  line: Line;
}

/** Number of downloads that are downloading or verifying. */
export interface ActiveLine {
  clientId: string;
  line: Line;
  active: number;
  /** How many of the active ones run on this server. */
  own: number;
}

/** Number of downloads by status, and their durable bytes. */
export interface Totals {
  downloads: Record<Download["status"], number>;
  bytes: number;
  /** Downloads that failed at any time and were not asked for again. */
  openFailures: number;
}

/** Another download has the same `savedPath`. */
export class NameTakenError extends Error {
  override name = "NameTakenError";
}

/**
 * The rows, which are the single truth about all downloads and clients. Each change is one conditional
 * statement, so of two actors, in one process or in two, only one can win.
 *
 * A statement holds the event loop while it runs. So calls find their rows by an index and read no more
 * than `limit`; what cannot be bounded is done in pieces, each in its turn.
 */
export interface Repository {
  /**
   * @returns the row, with its revision
   * @throws FdsError `storage_full`
   */
  insertDownload(download: Queued): Promise<Queued>;
  getDownload(downloadId: string): Promise<Download | null>;
  /** Newest first. */
  listDownloads(filter: DownloadFilter): Promise<Download[]>;
  /**
   * Counts the downloads that were requested since a time.
   * @param sites as in a filter
   * @param inTurn where others than the server itself ask
   */
  totalsSince(since: number, sites?: Sites | null, inTurn?: InTurn): Promise<Totals>;
  /** Downloads that are downloading or verifying. */
  activeDownloads(): Promise<Active[]>;
  /** The given ids that belong to unfinished downloads. */
  unendedAmong(downloadIds: string[]): Promise<Set<string>>;
  /** Number of downloads that are downloading or verifying, by client; clients without any are left out. */
  countActive(): Promise<Map<string, number>>;
  /** Revision of the latest change; 0 without downloads. */
  latestRevision(): Promise<number>;
  /** Downloads that changed after a revision, in the order of their changes. */
  changedSince(revision: number, limit: number): Promise<Download[]>;
  /** The revision after which this many downloads ended; 0 where there are no more. */
  beforeLatestEnds(count: number): Promise<number>;
  /**
   * Ended downloads in the order of their changes. With `sites`, it reads all ends between the two
   * revisions, so these must enclose no more than {@link beforeLatestEnds} was called with.
   */
  endsBetween(filter: EndsFilter): Promise<Download[]>;
  /**
   * Compare and set: writes `next` if the row still has `next.revision`.
   * @param before the row at that revision, of which only differences are written
   * @returns the row as it is now, with a new revision, or null if another change came first
   * @throws NameTakenError when another download has `next.savedPath`
   */
  replaceDownload<T extends Download>(next: T, before?: Download): Promise<T | null>;
  /**
   * Claims a client's oldest due download in a line, if the limits and the job allow one more: it becomes
   * `downloading`, with the next epoch and attempt.
   */
  claimDownload(
    clientId: string,
    line: Line,
    limits: Limits,
    now: number,
  ): Promise<Downloading | null>;
  /** Downloads of a client that are due. */
  waitingFor(clientId: string, now: number): Promise<Waiting[]>;
  /**
   * Clients whose downloads became due after a time, up to `now`, including those that a clock that was put
   * back hides.
   */
  dueSince(after: number, now: number): Promise<Waiting[]>;
  /** Number of downloads that are downloading or verifying, by client and line. */
  countActiveLines(): Promise<ActiveLine[]>;
  /** Earliest time after `now` at which a queued download becomes due, or null. */
  nextDueAt(now: number): Promise<number | null>;

  getClient(clientId: string): Promise<Client | null>;
  /** In the order of their ids. */
  listClients(filter: ClientFilter): Promise<Client[]>;
  /**
   * Writes a client if it does not exist, or if its key and revocation are still those of `replaces`.
   * @returns false if another registration or a revocation came first
   */
  registerClient(client: RegisteredClient, replaces: RegisteredClient | null): Promise<boolean>;
  /** Labels of a client; empty where it is unknown. */
  labelsOf(clientId: string): Promise<Labels>;
  /** Sets labels, and removes those that are null, all in one step. */
  changeLabels(clientId: string, changes: LabelChanges): Promise<void>;
  /** @param timeZone IANA name; null: use the reported zone */
  setTimeZone(clientId: string, timeZone: string | null): Promise<void>;
  /** @returns the client as it is now; null: there is none. One that was revoked before is not changed */
  revokeClient(clientId: string, at: number): Promise<Client | null>;
  /** @param lastSeen id → when the client was last heard; a later known time is kept */
  clientsSeen(lastSeen: ReadonlyMap<string, number>): Promise<void>;

  /** The files of sets. */
  readonly sets: SetRows;
  /** Tokens, enrolment keys, sessions and codes. */
  readonly access: AccessRows;
  /** Requests to many clients. */
  readonly jobs: JobRows;
  /** Retention: holds, removals and stored bytes. */
  readonly keep: KeepRows;
  /** The servers that share the database; null: it serves only one. */
  readonly servers: ServerRows | null;
  /** The webhooks. */
  readonly webhooks: WebhookRows;
  /** The messages for webhooks. */
  readonly outbox: OutboxRows;
  /** The schedules, which make jobs at their times. */
  readonly schedules: ScheduleRows;
  /** What schedules expect of clients. */
  readonly deliveries: DeliveryRows;
  /** The audit. */
  readonly audit: AuditRows;

  /** Asks whether the database answers. While it does not, everything that needs it waits. */
  isThere(): Promise<boolean>;
  /** Whether something has been waiting for the database for a while. */
  readonly isAway: boolean;
  close(): Promise<void>;
}
