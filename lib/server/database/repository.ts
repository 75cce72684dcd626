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

/** A site's program as it registered. Times are ms since 1970. */
export interface RegisteredClient {
  clientId: string;
  /** SHA-256 of the client's key, hex. */
  keyHash: string;
  /** When it enrolled with a token; null: never, the id is not bound to its key. */
  enrolledAt: number | null;
  /** When an admin revoked it: its key is refused from then on. */
  revokedAt: number | null;
  /** What it can do beyond single files, as its last registration says. */
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

/** What is said of a client at the server: no registration changes it. */
export interface ClientSettings {
  labels: Labels;
  /** IANA name, in place of what the client reports; null: that. */
  timeZone: string | null;
}

/** A site's program, as it is known for good. */
export interface Client extends RegisteredClient, ClientSettings {
  /**
   * When the server to which it is connected said so last, ms since 1970; none: to no server, or only
   * the server itself knows it.
   */
  heldAt?: number;
  /** A problem that a person has to solve, as another server noticed it. */
  heldProblem?: string;
}

export interface DownloadFilter {
  status?: Download["status"];
  clientId?: string;
  jobId?: string;
  /** Only downloads of these clients; null: of all. */
  sites?: Sites | null;
  /** Only what failed and was not asked for again. */
  open?: boolean;
  /** Only downloads with a smaller id, that is older ones. */
  before?: string;
  /** Most rows to give. */
  limit: number;
}

export interface ClientFilter {
  /** Only clients with a greater id. */
  after?: string;
  /** Only these clients; null: all. */
  sites?: Sites | null;
  /** Only those of these ids, or only the others. */
  ids?: { are: "in" | "not_in"; ids: ReadonlySet<string> } | undefined;
  /** Only those that are connected to some server, or to none; only where there may be several. */
  held?: boolean | undefined;
  /** Only clients with such labels. */
  selector?: Selector | undefined;
  /** Most rows to give. */
  limit: number;
}

export interface EndsFilter {
  /** Only changes after this revision, up to another one. */
  after: number;
  upTo: number;
  /** Only downloads of these clients; null: of all. */
  sites: Sites | null;
  /** Most rows to give. */
  limit: number;
}

/** Most downloads that may be downloading or verifying at once. */
export interface Limits {
  total: number;
  perClient: number;
}

/**
 * The part of the slots that jobs may take, so that one is soon free for a single download that
 * somebody asks for.
 */
export function limitsOfJobs({ total, perClient }: Limits): Limits {
  const kept = total < 4 ? Math.min(1, total - 1) : Math.ceil(total / 8);
  return { total: total - kept, perClient: Math.max(1, perClient - 1) };
}

/** Whose downloads are started in turn: those of a job by its id, null: those that belong to none. */
export type Line = string | null;

/** A client for which downloads of a line wait. */
export interface Waiting {
  clientId: string;
  line: Line;
}

/** Downloads that are downloading or verifying. */
export interface ActiveLine {
  clientId: string;
  line: Line;
  active: number;
  /** How many of them this server runs. */
  own: number;
}

/** How many downloads have each status, and how many bytes of all of them are safe. */
export interface Totals {
  downloads: Record<Download["status"], number>;
  bytes: number;
  /** What failed, at any time, and was not asked for again. */
  openFailures: number;
}

/** Another download holds the `savedPath` that was asked for. */
export class NameTakenError extends Error {
  override name = "NameTakenError";
}

/**
 * The rows: the one truth about every download and every client. Each change is one conditional
 * statement, so that two actors, in one process or in two, cannot both win.
 *
 * A statement holds the event loop while it runs. So what a call reads is found by an index, and is
 * bounded by its `limit`; what cannot be bounded is done in pieces, each of which has its turn.
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
   * The downloads that were asked for since a time, counted.
   * @param sites as of a filter
   * @param inTurn where it is not the server itself that wants to know
   */
  totalsSince(since: number, sites?: Sites | null, inTurn?: InTurn): Promise<Totals>;
  /** Every download that is downloading or verifying. */
  activeDownloads(): Promise<Active[]>;
  /** Which of these ids belong to a download that has not ended. */
  unendedAmong(downloadIds: string[]): Promise<Set<string>>;
  /** How many downloads of each client are downloading or verifying; clients with none are left out. */
  countActive(): Promise<Map<string, number>>;
  /** The revision of the latest change; 0 where there are no downloads. */
  latestRevision(): Promise<number>;
  /** Downloads that changed after that revision, the latest change last. */
  changedSince(revision: number, limit: number): Promise<Download[]>;
  /** The revision after which there are as many ends as this; 0 where there are no more. */
  beforeLatestEnds(count: number): Promise<number>;
  /**
   * Downloads that have ended, the latest change last. With `sites`, it reads every end between the
   * two revisions: let them enclose no more than {@link beforeLatestEnds} was asked for.
   */
  endsBetween(filter: EndsFilter): Promise<Download[]>;
  /**
   * Compare and set: writes `next` if the row still has `next.revision`.
   * @param before what the row was at that revision: only what differs needs to be written
   * @returns the row as it now is, with a new revision, or null if another change came first
   * @throws NameTakenError when another download holds `next.savedPath`
   */
  replaceDownload<T extends Download>(next: T, before?: Download): Promise<T | null>;
  /**
   * Takes a client's oldest queued download of a line that is due, if the limits and the job allow
   * one more, and makes it `downloading` with the next epoch and attempt.
   */
  claimDownload(
    clientId: string,
    line: Line,
    limits: Limits,
    now: number,
  ): Promise<Downloading | null>;
  /** What waits for a client, and is due. */
  waitingFor(clientId: string, now: number): Promise<Waiting[]>;
  /** Whose downloads became due after a time, up to `now`; also what a clock that was set back hides. */
  dueSince(after: number, now: number): Promise<Waiting[]>;
  /** How many downloads of each client and line are downloading or verifying. */
  countActiveLines(): Promise<ActiveLine[]>;
  /** The earliest time after `now` at which a queued download becomes due, or null. */
  nextDueAt(now: number): Promise<number | null>;

  getClient(clientId: string): Promise<Client | null>;
  /** By id. */
  listClients(filter: ClientFilter): Promise<Client[]>;
  /**
   * Writes the client if it is not there yet, or if it still has the key of `replaces` and is as
   * much revoked.
   * @returns false if another registration or a revocation came first
   */
  registerClient(client: RegisteredClient, replaces: RegisteredClient | null): Promise<boolean>;
  /** The labels of a client; empty where the client is unknown. */
  labelsOf(clientId: string): Promise<Labels>;
  /** Sets labels, and removes those that are null, all at once. */
  changeLabels(clientId: string, changes: LabelChanges): Promise<void>;
  /** @param timeZone IANA name; null: what the client reports */
  setTimeZone(clientId: string, timeZone: string | null): Promise<void>;
  /** @returns the client as it now is; null: there is none; one that was revoked stays as it was */
  revokeClient(clientId: string, at: number): Promise<Client | null>;
  /** @param lastSeen id → when the client was last heard; a later time that is known already stays */
  clientsSeen(lastSeen: ReadonlyMap<string, number>): Promise<void>;

  /** The files of sets. */
  readonly sets: SetRows;
  /** Who may call the API, and who is signed in. */
  readonly access: AccessRows;
  /** Requests to many clients. */
  readonly jobs: JobRows;
  /** What is kept, and how long. */
  readonly keep: KeepRows;
  /** The servers that share the database; null: it is one server's alone. */
  readonly servers: ServerRows | null;
  /** Who is told of events. */
  readonly webhooks: WebhookRows;
  /** What they are to be told. */
  readonly outbox: OutboxRows;
  /** What makes jobs at its times. */
  readonly schedules: ScheduleRows;
  /** What schedules expect of clients. */
  readonly deliveries: DeliveryRows;
  /** Who did what. */
  readonly audit: AuditRows;

  /** Asks whether the database answers. While it does not, everything that needs it waits. */
  isThere(): Promise<boolean>;
  /** Whether something has waited for the database for a while. */
  readonly isAway: boolean;
  close(): Promise<void>;
}
