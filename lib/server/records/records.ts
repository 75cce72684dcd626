import type { ClientRecord, DownloadRecord } from "../../api/schemas.ts";
import type { TokenRecord } from "../../api/tokens.ts";
import type { AuditRecord } from "../../api/audit.ts";
import type { EnrolmentKeyRecord } from "../../api/enrolment.ts";
import type { AuditRow } from "../audit/entry.ts";
import type { ApiToken, EnrolmentKey } from "../access/rows.ts";
import type { KnownClient } from "../clients/known-clients.ts";
import { timeZoneOf } from "../clients/time-zone.ts";
import { type Download, durableOffsetOf, resolvedPath, resolvedSet } from "../download.ts";
import type { Progress } from "../transfer/incoming-stream.ts";

/**
 * A download as REST shows it.
 * @param progress progress of the running attempt; undefined: the values of the row are shown
 */
export function downloadRecord(download: Download, progress?: Progress): DownloadRecord {
  const { source } = download;
  const isRunning = download.status === "downloading";
  const bytesReceived =
    (isRunning ? progress?.bytesReceived : undefined) ?? durableOffsetOf(download);
  const bytesOnWire = (isRunning ? progress?.bytesOnWire : undefined) ?? download.bytesOnWire;
  const set = isRunning ? progress?.set : undefined;
  const totalSize = set?.totalSize ?? source?.totalSize ?? null;
  const files = set?.files ?? download.files;
  const rate = bytesPerSecond(download, progress);
  const problem = "problem" in download ? download.problem : null;
  const isVerified = download.status === "verifying" || download.status === "completed";
  const endedAt = "completedAt" in download ? download.completedAt : null;
  return {
    download_id: download.downloadId,
    client_id: download.clientId,
    kind: download.set ? "set" : "file",
    file_path: download.set ? null : download.filePath,
    resolved_path: download.set ? null : resolvedPath(download),
    paths: download.set?.paths ?? null,
    resolved_paths: download.set && resolvedSet(download.set, download.localTime).paths,
    exclude: download.set?.exclude ?? null,
    unmatched_paths: unmatchedPaths(download),
    status: download.status,
    total_size: totalSize,
    files_total: files?.total ?? null,
    files_received: files?.received ?? null,
    files_unchanged: files?.unchanged ?? null,
    files_skipped: files?.skipped ?? null,
    bytes_received: bytesReceived,
    bytes_on_wire: bytesOnWire,
    chunk_size: source?.chunkSize ?? null,
    chunks_received: source ? chunks(bytesReceived, totalSize, source.chunkSize) : 0,
    total_chunks: source ? Math.ceil((totalSize ?? 0) / source.chunkSize) : null,
    percent: totalSize === null ? null : percent(bytesReceived, totalSize),
    bytes_per_second: rate,
    eta_seconds:
      isRunning && rate && totalSize !== null ? eta(totalSize - bytesReceived, rate) : null,
    checksum: download.checksum,
    md5: isVerified && download.checksum === "md5" ? download.digest : null,
    sha256: isVerified && download.checksum === "sha256" ? download.digest : null,
    rate_limit: download.rateLimit,
    job_id: download.jobId,
    saved_path: download.status === "completed" ? download.savedPath : null,
    hold: download.isHeld,
    removed_at: isoTimeOrNull("removedAt" in download ? download.removedAt : null),
    attempts: download.attempts,
    created_at: isoTime(download.createdAt),
    started_at: isoTimeOrNull(download.startedAt),
    completed_at: isoTimeOrNull(endedAt),
    error: problem?.message ?? null,
    error_code: problem?.code ?? null,
    retried_as: "retriedAs" in download ? download.retriedAs : null,
  };
}

function unmatchedPaths({ set, localTime, unmatched }: Download): string[] | null {
  if (!set || !unmatched) return null;
  const { paths } = resolvedSet(set, localTime);
  return unmatched.flatMap((index) => paths[index] ?? []);
}

/** A client as REST shows it. @param activeDownloads number of its downloads that run */
export function clientRecord(client: KnownClient, activeDownloads: number): ClientRecord {
  return {
    client_id: client.clientId,
    connected: client.connected,
    connected_at: isoTime(client.connectedAt),
    last_seen_at: isoTime(client.lastSeenAt),
    remote_address: client.remoteAddress,
    hostname: client.hostname,
    platform: client.platform,
    version: client.version,
    labels: client.labels,
    time_zone: timeZoneOf(client),
    active_downloads: activeDownloads,
    revoked_at: isoTimeOrNull(client.revokedAt),
    problem: client.problem ?? null,
  };
}

/** An API token as REST shows it, without the hash of its secret. */
export function tokenRecord(token: ApiToken): TokenRecord {
  return {
    name: token.name,
    role: token.role,
    sites: token.sites,
    labels: token.labels,
    created_at: isoTime(token.createdAt),
    expires_at: isoTimeOrNull(token.expiresAt),
    revoked_at: isoTimeOrNull(token.revokedAt),
    last_used_at: isoTimeOrNull(token.lastUsedAt),
  };
}

/** An enrolment key as REST shows it, without the hash of the key. */
export function enrolmentKeyRecord(key: EnrolmentKey): EnrolmentKeyRecord {
  return {
    name: key.name,
    ids: key.ids,
    labels: key.labels,
    replace: key.replaces,
    max_uses: key.maxUses,
    uses: key.uses,
    created_at: isoTime(key.createdAt),
    expires_at: isoTimeOrNull(key.expiresAt),
    revoked_at: isoTimeOrNull(key.revokedAt),
    last_used_at: isoTimeOrNull(key.lastUsedAt),
  };
}

/** A row of the audit as REST shows it. */
export function auditRecord(row: AuditRow): AuditRecord {
  return {
    audit_id: row.auditId,
    at: isoTime(row.at),
    last_at: isoTime(row.lastAt),
    count: row.count,
    actor: row.actor,
    address: row.address,
    action: row.action,
    target: row.target,
    client_id: row.clientId,
    download_id: row.downloadId,
    file_path: row.filePath,
    outcome: row.outcome,
  };
}

/**
 * The rate of a running download now, or the average rate of a completed one, in bytes a second; null: the
 * download has another status, or the rate is not known.
 */
function bytesPerSecond(download: Download, progress: Progress | undefined): number | null {
  if (download.status === "downloading") {
    return progress?.bytesPerSecond == null ? null : Math.round(progress.bytesPerSecond);
  }
  if (download.status !== "completed") return null;
  const seconds = Math.max(1, download.completedAt - download.startedAt) / 1000;
  return Math.round(download.source.totalSize / seconds);
}

/** The number of complete chunks received. The last chunk of a file is usually shorter. */
function chunks(bytes: number, totalSize: number | null, chunkSize: number): number {
  return bytes === totalSize ? Math.ceil(bytes / chunkSize) : Math.floor(bytes / chunkSize);
}

/** The percentage received, with one decimal. It is 100 only when no byte is missing. */
function percent(bytes: number, totalSize: number): number {
  return totalSize === 0 ? 100 : Math.floor((bytes / totalSize) * 1000) / 10;
}

function eta(bytes: number, rate: number): number {
  return Math.ceil(bytes / rate);
}

/** A time as REST shows it, in ISO 8601. @param ms since 1970 */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

function isoTimeOrNull(ms: number | null): string | null {
  return ms === null ? null : isoTime(ms);
}
