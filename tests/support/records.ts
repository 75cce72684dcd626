import type { DownloadRecord } from "../../lib/api/schemas.ts";

/** A download as REST shows it. */
export function downloadRecord(fields: Partial<DownloadRecord> = {}): DownloadRecord {
  return {
    download_id: "01a207d4-bffb-7022-8959-ed1304f66c3b",
    client_id: "restaurant-001",
    kind: "file",
    file_path: "file_to_download.txt",
    paths: null,
    exclude: null,
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
    saved_path: null,
    attempts: 0,
    created_at: "2026-01-02T03:04:05.000Z",
    started_at: null,
    completed_at: null,
    error: null,
    error_code: null,
    ...fields,
  };
}
