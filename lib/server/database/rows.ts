import type { Labels } from "../../api/labels.ts";
import type { ChecksumAlgorithm } from "../../protocol/checksum.ts";
import { type DownloadErrorCode, type Problem } from "../../protocol/errors.ts";
import { FileIdentity } from "../../protocol/identity.ts";
import { durableOffsetOf, type Download, type Source } from "../download.ts";
import type { SetCounts, SetOrder } from "../set.ts";
import type { Client, RegisteredClient } from "./repository.ts";

/*
 * A row of a download, in any state. Only the fields that are valid in the row's status are set. The columns
 * in the database are in snake_case. Numbers may come as text from Postgres, so they are converted with
 * Number().
 */
export interface DownloadRow {
  downloadId: string;
  clientId: string;
  filePath: string;
  /**
   * The files that were requested as a set, and how to deliver them, as JSON; null: a single file was
   * requested.
   */
  setOrder: string | null;
  checksum: ChecksumAlgorithm;
  rateLimit: number | null;
  jobId: string | null;
  localTime: string | null;
  status: Download["status"];
  createdAt: number;
  startedAt: number | null;
  completedAt: number | null;
  attempts: number;
  epoch: number;
  restarts: number;
  failures: number;
  bytesOnWire: number;
  filesTotal: number | null;
  filesReceived: number | null;
  filesUnchanged: number | null;
  filesSkipped: number | null;
  /** Indices of the patterns that no file matches, as a JSON array; null: not known. */
  unmatched: string | null;
  /** 1: a hold keeps the download's content; 0: no hold. */
  held: number;
  storedBytes: number;
  removedAt: number | null;
  revision: number;
  notBefore: number | null;
  safeOffset: number;
  totalSize: number | null;
  chunkSize: number | null;
  /** Identity of the file at the client, as JSON; null: not known, or a set. */
  identity: string | null;
  digest: string | null;
  savedPath: string | null;
  problemCode: DownloadErrorCode | null;
  problemMessage: string | null;
  retriedAs: string | null;
}

export function toRow(download: Download): DownloadRow {
  const { source } = download;
  const problem = "problem" in download ? download.problem : null;
  return {
    downloadId: download.downloadId,
    clientId: download.clientId,
    filePath: download.filePath,
    setOrder: download.set && JSON.stringify(download.set),
    checksum: download.checksum,
    rateLimit: download.rateLimit,
    jobId: download.jobId,
    localTime: download.localTime,
    status: download.status,
    createdAt: download.createdAt,
    startedAt: download.startedAt,
    completedAt: "completedAt" in download ? download.completedAt : null,
    attempts: download.attempts,
    epoch: download.epoch,
    restarts: download.restarts,
    failures: download.failures,
    bytesOnWire: download.bytesOnWire,
    filesTotal: download.files && download.files.total,
    filesReceived: download.files && download.files.received,
    filesUnchanged: download.files && download.files.unchanged,
    filesSkipped: download.files && download.files.skipped,
    unmatched: download.unmatched && JSON.stringify(download.unmatched),
    held: Number(download.isHeld),
    storedBytes: "storedBytes" in download ? download.storedBytes : 0,
    removedAt: "removedAt" in download ? download.removedAt : null,
    revision: download.revision,
    notBefore: "notBefore" in download ? download.notBefore : null,
    safeOffset: durableOffsetOf(download),
    totalSize: source && source.totalSize,
    chunkSize: source && source.chunkSize,
    identity: source?.identity ? JSON.stringify(source.identity) : null,
    digest: "digest" in download ? download.digest : null,
    savedPath: "savedPath" in download ? download.savedPath : null,
    problemCode: problem && problem.code,
    problemMessage: problem && problem.message,
    retriedAs: "retriedAs" in download ? download.retriedAs : null,
  };
}

/** Converts a row to a download. @throws Error if the row lacks a value that its status needs */
export function toDownload(row: DownloadRow): Download {
  const common = commonOf(row);
  const { status, retriedAs } = row;
  const durableOffset = Number(row.safeOffset);
  const startedAt = numberOrNull(row.startedAt);
  const source = toSource(row);
  const required = <T>(value: T | null, name: string): T => {
    if (value !== null) return value;
    throw new Error(`the row of download "${row.downloadId}" is ${status} and has no ${name}`);
  };
  const started = () => required(startedAt, "started_at");
  const ended = () => Number(required(row.completedAt, "completed_at"));
  const received = () => ({
    startedAt: started(),
    source: required(source, "identity"),
    digest: required(row.digest, "digest"),
  });
  const { savedPath } = row;
  switch (status) {
    case "queued": {
      const notBefore = Number(required(row.notBefore, "not_before"));
      const problem = toProblem(row);
      return { ...common, status, startedAt, source, durableOffset, notBefore, problem };
    }
    case "downloading":
      return { ...common, status, startedAt: started(), source, durableOffset };
    case "verifying":
      return { ...common, status, ...received(), savedPath: required(savedPath, "saved_path") };
    case "completed":
      return { ...common, status, ...received(), ...storedOf(row), completedAt: ended() };
    case "failed": {
      const problem = required(toProblem(row), "problem_code");
      const completedAt = ended();
      return {
        ...common,
        status,
        startedAt,
        completedAt,
        source,
        durableOffset,
        problem,
        retriedAs,
      };
    }
    case "cancelled":
      return {
        ...common,
        status,
        startedAt,
        completedAt: ended(),
        source,
        durableOffset,
        retriedAs,
      };
  }
}

/** Returns the fields about the stored content of a completed download. */
function storedOf({ savedPath, storedBytes, removedAt }: DownloadRow) {
  return { savedPath, storedBytes: Number(storedBytes), removedAt: numberOrNull(removedAt) };
}

/** Returns the fields that downloads of every status have. */
function commonOf(row: DownloadRow) {
  return {
    downloadId: row.downloadId,
    clientId: row.clientId,
    filePath: row.filePath,
    set: toSetOrder(row),
    checksum: row.checksum,
    rateLimit: numberOrNull(row.rateLimit),
    jobId: row.jobId,
    localTime: row.localTime,
    createdAt: Number(row.createdAt),
    attempts: Number(row.attempts),
    epoch: Number(row.epoch),
    restarts: Number(row.restarts),
    failures: Number(row.failures),
    bytesOnWire: Number(row.bytesOnWire),
    files: toCounts(row),
    unmatched: row.unmatched === null ? null : (JSON.parse(row.unmatched) as number[]),
    isHeld: Number(row.held) === 1,
    revision: Number(row.revision),
  };
}

/** A row of a client, without the settings that operators made. */
export interface RegisteredRow extends Omit<RegisteredClient, "features"> {
  /** JSON array of the client's features. */
  features: string;
}

/** A row of a client, with the settings that operators made. */
export interface ClientRow extends RegisteredRow {
  timeZone: string | null;
  /** Set only if the database is Postgres, and null there if the client is connected to no server. */
  heldAt?: number | null;
  heldProblem?: string | null;
}

export function toRegisteredRow(client: RegisteredClient): RegisteredRow {
  return {
    clientId: client.clientId,
    keyHash: client.keyHash,
    enrolledAt: client.enrolledAt,
    revokedAt: client.revokedAt,
    features: JSON.stringify(client.features),
    hostname: client.hostname,
    platform: client.platform,
    version: client.version,
    reportedTimeZone: client.reportedTimeZone,
    remoteAddress: client.remoteAddress,
    connectedAt: client.connectedAt,
    lastSeenAt: client.lastSeenAt,
  };
}

export function toClient({ heldAt, heldProblem, ...row }: ClientRow, labels: Labels = {}): Client {
  return {
    ...row,
    ...(heldAt != null && { heldAt: Number(heldAt) }),
    ...(heldProblem != null && { heldProblem }),
    labels,
    features: JSON.parse(row.features) as string[],
    enrolledAt: numberOrNull(row.enrolledAt),
    revokedAt: numberOrNull(row.revokedAt),
    connectedAt: Number(row.connectedAt),
    lastSeenAt: Number(row.lastSeenAt),
  };
}

export function numberOrNull(value: number | null): number | null {
  return value === null ? null : Number(value);
}

function toSource({ identity, totalSize, chunkSize }: DownloadRow): Source | null {
  if (totalSize === null) return null;
  return {
    identity: identity === null ? null : FileIdentity.parse(JSON.parse(identity)),
    totalSize: Number(totalSize),
    chunkSize: Number(chunkSize),
  };
}

function toSetOrder({ setOrder }: DownloadRow): SetOrder | null {
  return setOrder === null ? null : (JSON.parse(setOrder) as SetOrder);
}

function toCounts(row: DownloadRow): SetCounts | null {
  if (row.filesTotal === null) return null;
  return {
    total: Number(row.filesTotal),
    received: Number(row.filesReceived),
    unchanged: Number(row.filesUnchanged),
    skipped: Number(row.filesSkipped),
  };
}

function toProblem({ problemCode, problemMessage }: DownloadRow): Problem | null {
  return problemCode && { code: problemCode, message: problemMessage ?? "" };
}
