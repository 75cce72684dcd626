import type { Audit } from "../audit/audit.ts";
import type { AuditEntry } from "../audit/entry.ts";
import { type Download, durableOffsetOf, type Ended, hasEnded } from "../download.ts";
import type { Metrics } from "../metrics/metrics.ts";

/** Updates the metrics for a changed download. If the download ended, the audit records that. */
export function accountFor(
  before: Download,
  after: Download,
  { metrics, audit }: { metrics: Metrics; audit: Pick<Audit, "record"> },
): void {
  if (hasEnded(before)) return;
  if (hasEnded(after)) {
    metrics.downloadEnded(after);
    audit.record(endOf(after));
  } else metrics.resentBytes += Math.max(0, durableOffsetOf(before) - durableOffsetOf(after));
}

function endOf(download: Ended): AuditEntry {
  const { downloadId, clientId, filePath, status } = download;
  const outcomes = { completed: "ok", cancelled: "cancelled" };
  const outcome = status === "failed" ? download.problem.code : outcomes[status];
  return { action: "download_end", outcome, downloadId, clientId, filePath };
}
