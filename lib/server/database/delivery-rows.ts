import type { Asked, AskedDownload, Delivery } from "../schedule.ts";
import { numberOrNull } from "./rows.ts";
import { sql, type Statement } from "./statement.ts";

/** A row of a delivery, joined with the newest download that its job made for its client. */
export interface AskedRow extends Delivery {
  ownId: string | null;
  ownStatus: AskedDownload["status"] | null;
  ownEndedAt: number | null;
  ownHasContent: number;
  ownIsSet: number;
  ownSize: number | null;
  ownReceived: number | null;
  ownUnchanged: number | null;
  ownSkipped: number | null;
}

/**
 * Returns a query that adds, to each delivery that another query returns, the newest download that its job
 * made for its client.
 * @param deliveries the other query
 */
export function withDownloads(deliveries: Statement): Statement {
  return sql`
    SELECT delivery.*, own.download_id AS own_id, own.status AS own_status,
      own.completed_at AS own_ended_at, own.total_size AS own_size,
      CASE WHEN own.saved_path IS NULL THEN 0 ELSE 1 END AS own_has_content,
      CASE WHEN own.set_order IS NULL THEN 0 ELSE 1 END AS own_is_set,
      own.files_received AS own_received, own.files_unchanged AS own_unchanged,
      own.files_skipped AS own_skipped
    FROM (${deliveries}) AS delivery
    LEFT JOIN downloads AS own ON own.job_id = delivery.job_id
      AND own.client_id = delivery.client_id AND own.job_id IS NOT NULL AND own.retried_as IS NULL`;
}

/** Converts a row to a delivery. */
export function toDelivery(row: Delivery): Delivery {
  return {
    scheduleId: row.scheduleId,
    clientId: row.clientId,
    localTime: row.localTime,
    timeZone: row.timeZone,
    scheduledAt: Number(row.scheduledAt),
    dueAt: Number(row.dueAt),
    jobId: row.jobId,
    status: row.status,
    downloadId: row.downloadId,
    files: Number(row.files),
    bytes: Number(row.bytes),
    revision: Number(row.revision),
  };
}

/** Converts a row of {@link withDownloads} to a delivery and its download. */
export function toAsked(row: AskedRow): Asked {
  const { ownId, ownStatus } = row;
  const delivery = toDelivery(row);
  if (ownId === null || ownStatus === null) return { delivery, download: null };
  return {
    delivery,
    download: {
      downloadId: ownId,
      status: ownStatus,
      completedAt: numberOrNull(row.ownEndedAt),
      hasContent: Number(row.ownHasContent) === 1,
      isSet: Number(row.ownIsSet) === 1,
      totalSize: Number(row.ownSize ?? 0),
      filesReceived: Number(row.ownReceived ?? 0),
      filesUnchanged: Number(row.ownUnchanged ?? 0),
      filesSkipped: Number(row.ownSkipped ?? 0),
    },
  };
}
