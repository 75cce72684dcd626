import type { DeliveryRecord } from "../../lib/api/deliveries.ts";
import type { JobRecord } from "../../lib/api/jobs.ts";
import type { ClientRecord, DownloadRecord } from "../../lib/api/schemas.ts";
import type { SetFileRecord } from "../../lib/api/sets.ts";

/** Makes the REST record of a download. @param fields replace the defaults */
export function downloadRecord(fields: Partial<DownloadRecord> = {}): DownloadRecord {
  return {
    download_id: "01a207d4-bffb-7022-8959-ed1304f66c3b",
    client_id: "restaurant-001",
    kind: "file",
    file_path: "file_to_download.txt",
    resolved_path: fields.file_path === undefined ? "file_to_download.txt" : fields.file_path,
    paths: null,
    resolved_paths: fields.paths ?? null,
    exclude: null,
    unmatched_paths: null,
    status: "queued",
    total_size: null,
    files_total: null,
    files_received: null,
    files_unchanged: null,
    files_skipped: null,
    bytes_received: 0,
    bytes_on_wire: 0,
    chunk_size: null,
    chunks_received: 0,
    total_chunks: null,
    percent: null,
    bytes_per_second: null,
    eta_seconds: null,
    checksum: "md5",
    md5: null,
    sha256: null,
    rate_limit: null,
    job_id: null,
    saved_path: null,
    hold: false,
    removed_at: null,
    attempts: 0,
    created_at: "2026-01-02T03:04:05.000Z",
    started_at: null,
    completed_at: null,
    error: null,
    error_code: null,
    retried_as: null,
    ...fields,
  };
}

/** Makes the REST record of a client. @param fields replace the defaults */
export function clientRecord(fields: Partial<ClientRecord> = {}): ClientRecord {
  return {
    client_id: "site-1",
    connected: true,
    connected_at: null,
    last_seen_at: null,
    remote_address: null,
    hostname: null,
    platform: null,
    version: null,
    labels: {},
    time_zone: "UTC",
    active_downloads: 0,
    revoked_at: null,
    problem: null,
    ...fields,
  };
}

/**
 * Makes the REST record of a job.
 * @param fields replace the defaults
 * @param counts the number of downloads in each status, if not 0
 */
export function jobRecord(
  fields: Partial<JobRecord> = {},
  counts: Partial<JobRecord["counts"]> = {},
): JobRecord {
  return {
    job_id: "01a207d4-bffb-7022-8959-ed1304f66c3c",
    name: null,
    status: "running",
    clients: { all: true },
    membership: "snapshot",
    download: { file_path: "file_to_download.txt" },
    created_at: "2026-01-02T03:04:05.000Z",
    created_by: null,
    expires_at: null,
    ended_at: null,
    schedule: null,
    max_concurrent: null,
    spread: null,
    stop_when: null,
    keep: null,
    total: 1,
    counts: {
      queued: 0,
      downloading: 0,
      verifying: 0,
      completed: 0,
      failed: 0,
      cancelled: 0,
      ...counts,
    },
    bytes_received: 0,
    total_size: 0,
    files_received: 0,
    files_skipped: 0,
    may_change: true,
    ...fields,
  };
}

/**
 * Makes the REST record of a received file of a set. Its content is its own path.
 * @param folder the folder in which the set was saved
 * @param place path of the file within the set
 */
export function setFileRecord(folder: string, place: string, fields: Partial<SetFileRecord> = {}) {
  const record: SetFileRecord = {
    path: place,
    saved_path: `${folder}/${place}`,
    size: place.length,
    modified_at: "2023-11-14T22:13:20.000Z",
    md5: new Bun.CryptoHasher("md5").update(place).digest("hex"),
    sha256: null,
    status: "received",
    error_code: null,
    error: null,
    ...fields,
  };
  return record;
}

/** Makes the REST record of a delivery that is due at 4:00 of the scheduled day. */
export function deliveryRecord(
  client_id: string,
  scheduled_local: string,
  status: DeliveryRecord["status"],
): DeliveryRecord {
  return {
    client_id,
    scheduled_local,
    scheduled_at: `${scheduled_local}.000Z`,
    time_zone: "UTC",
    status,
    due_at: `${scheduled_local.slice(0, 10)}T04:00:00.000Z`,
    job_id: `job of ${scheduled_local}`,
    download_id: null,
    files: 0,
    bytes: 0,
  };
}
