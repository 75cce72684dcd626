import type { InTurn } from "../../util/fair-turns.ts";
import type { Clients } from "../clients/clients.ts";
import type { FlowControl } from "../transfer/flow-control.ts";
import type { Repository, Totals } from "../database/repository.ts";
import type { Downloads } from "../downloads/downloads.ts";
import type { Events } from "../events/events.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { byLabel, counter, type Family, gauge, histogram } from "../metrics/prometheus.ts";
import type { FreeSpace, Storage } from "../storage/storage.ts";

/** The number of bytes that are granted to clients but not written yet, and the limit on this number. */
type Credit = Pick<FlowControl, "outstanding" | "budget">;

export interface MetricsPageOptions {
  metrics: Metrics;
  repository: Pick<Repository, "jobs" | "keep" | "totalsSince">;
  storage: Pick<Storage, "freeSpace">;
  clients: Pick<Clients, "countConnected">;
  downloads: Pick<Downloads, "runningCount">;
  events: Pick<Events, "readerCount">;
  credit: Credit;
  version: string;
}

/**
 * Returns all metrics in the text format of Prometheus. No label holds a client's id or a file's name, as
 * such a label could have any number of values.
 * @param inTurn runs a part of the counting, taking turns with other callers
 * @throws FdsError `storage_error`
 */
export async function metricsPage(options: MetricsPageOptions, inTurn: InTurn): Promise<string> {
  const { metrics, repository, storage, clients, downloads, events, credit, version } = options;
  const totals = await repository.totalsSince(0, null, inTurn);
  const jobs = await repository.jobs.countByStatus();
  const space = await storage.freeSpace();
  const stored = await repository.keep.usedBytes();
  return [
    ...processMetrics(version, metrics),
    ...diskMetrics(space),
    gauge("fds_stored_bytes", "Bytes of files that are kept, as quotas count them.", stored),
    counter(
      "fds_removed_bytes_total",
      "Bytes of files that were removed, by retention, by an admin or by hand.",
      metrics.removedBytes,
    ),
    ...clientMetrics(await clients.countConnected(), metrics),
    ...downloadMetrics(totals, metrics),
    byLabel("gauge", "fds_jobs", "Jobs on record, by status.", "status", jobs),
    ...transferMetrics(downloads.runningCount, credit, metrics),
    gauge("fds_event_readers", "Readers of live events.", events.readerCount),
    byLabel(
      "counter",
      "fds_webhook_attempts_total",
      "Attempts to deliver a message to a webhook, by what came of them.",
      "result",
      metrics.webhookAttempts,
    ),
  ].join("");
}

function processMetrics(version: string, metrics: Metrics): Family[] {
  return [
    byLabel("gauge", "fds_build_info", "The program; always 1.", "version", { [version]: 1 }),
    gauge("fds_uptime_seconds", "Time since the server started.", process.uptime()),
    gauge(
      "fds_process_resident_memory_bytes",
      "Memory that the server holds.",
      process.memoryUsage.rss(),
    ),
    histogram(
      "fds_event_loop_lag_seconds",
      "How late the event loop was, looked at 10 times a second.",
      metrics.eventLoopLag,
    ),
  ];
}

function diskMetrics({ free, total }: FreeSpace): Family[] {
  // S3 reports no size or free space.
  if (total === Infinity) return [];
  return [
    gauge("fds_disk_free_bytes", "Free space on the disk where files are kept.", free),
    gauge("fds_disk_size_bytes", "Size of the disk where files are kept.", total),
  ];
}

function clientMetrics(connected: number, metrics: Metrics): Family[] {
  return [
    gauge("fds_connected_clients", "Clients that are connected now.", connected),
    counter("fds_client_registrations_total", "Clients that connected.", metrics.registrations),
    counter(
      "fds_client_reconnects_total",
      "Clients that connected and were known from before.",
      metrics.reconnects,
    ),
    byLabel(
      "counter",
      "fds_refused_registrations_total",
      "Clients that were not let in, by error code; each one is asked once for its enrolment_required.",
      "code",
      metrics.refusals,
    ),
  ];
}

function downloadMetrics(totals: Totals, metrics: Metrics): Family[] {
  return [
    byLabel(
      "gauge",
      "fds_downloads",
      "Downloads on record, by status.",
      "status",
      totals.downloads,
    ),
    gauge("fds_open_failures", "Downloads that failed and were not retried.", totals.openFailures),
    byLabel(
      "counter",
      "fds_downloads_ended_total",
      "Downloads that ended, by their last status.",
      "status",
      metrics.ended,
    ),
    histogram(
      "fds_download_duration_seconds",
      "Time that completed downloads took since they were first started.",
      metrics.durations,
    ),
    histogram("fds_download_size_bytes", "Sizes of completed downloads.", metrics.sizes),
  ];
}

function transferMetrics(running: number, credit: Credit, metrics: Metrics): Family[] {
  return [
    gauge("fds_active_transfers", "Downloads that this server works on.", running),
    gauge(
      "fds_credit_outstanding_bytes",
      "Bytes that clients may send and that are not written yet.",
      credit.outstanding,
    ),
    gauge("fds_credit_budget_bytes", "The most of them, RECEIVE_BUDGET.", credit.budget),
    counter(
      "fds_received_bytes_total",
      "Bytes of files and listings that came.",
      metrics.receivedBytes,
    ),
    counter(
      "fds_received_wire_bytes_total",
      "The same as they came over the wire: fewer where they came compressed.",
      metrics.wireBytes,
    ),
    counter(
      "fds_resent_bytes_total",
      "Bytes of files that came and had to come again.",
      metrics.resentBytes,
    ),
    counter(
      "fds_resumed_bytes_total",
      "Bytes of files that did not have to come again after a break.",
      metrics.resumedBytes,
    ),
    counter("fds_crc_failures_total", "Chunks that came damaged.", metrics.damagedChunks),
    counter(
      "fds_checksum_failures_total",
      "Files whose checksum was not that of the client.",
      metrics.checksumFailures,
    ),
  ];
}
