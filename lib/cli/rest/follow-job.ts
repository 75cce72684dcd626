import type { JobRecord } from "../../api/jobs.ts";
import { MAX_PAGE } from "../../api/page-limit.ts";
import type { DownloadRecord } from "../../api/schemas.ts";
import { pausedNote } from "../terminal/download-bar.ts";
import type { BarState } from "../terminal/progress.ts";
import { Progress } from "../terminal/progress.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { pause } from "../pause.ts";
import type { ApiClient } from "./api-client.ts";
import { follow, type FollowOptions } from "./follow.ts";
import { findId } from "./find-id.ts";

/**
 * A job with at most this number of clients has a progress bar for each download. A larger job has one bar.
 */
const MAX_BARS = 30;

/** Interval at which a new job is polled until each of its clients has a download, in ms. */
const POLL_INTERVAL_MS = 50;

/** Finds a job by its id or the beginning of its id; see {@link findId}. */
export function findJobId(api: ApiClient, text: string, signal: AbortSignal): Promise<string> {
  return findId(text, {
    name: "job",
    command: "jobs",
    fetchPage: async (cursor) => {
      const { jobs, next_cursor } = await api.jobs(cursor === null ? {} : { cursor }, signal);
      return { ids: jobs.map(({ job_id }) => job_id), nextCursor: next_cursor };
    },
  });
}

/**
 * Shows the progress of a job until it has ended. A job with few clients has a progress bar for each
 * download, and a larger job has one bar.
 * @returns the newest download of each client, sorted by client id
 */
export async function followJob(
  api: ApiClient,
  jobId: string,
  terminal: Terminal,
  options: FollowOptions,
): Promise<DownloadRecord[]> {
  const job = await api.job(jobId, options.signal);
  if (job.total <= MAX_BARS) await followEach(api, job, terminal, options);
  await untilEnded(api, jobId, terminal, options, job.total > MAX_BARS);
  return newestOf(api, jobId, options.signal);
}

/** Returns the newest download of each client of a job, sorted by client id. */
export async function newestOf(
  api: ApiClient,
  jobId: string,
  signal?: AbortSignal,
): Promise<DownloadRecord[]> {
  const newest = new Map<string, DownloadRecord>();
  for (let cursor: string | null = null; ;) {
    const query = { job_id: jobId, limit: String(MAX_PAGE), ...(cursor !== null && { cursor }) };
    const { downloads, next_cursor } = await api.downloads(query, signal);
    // Downloads are listed newest first, so only the first one of each client is kept.
    for (const one of downloads) {
      if (!newest.has(one.client_id)) newest.set(one.client_id, one);
    }
    if (next_cursor === null) break;
    cursor = next_cursor;
  }
  return [...newest.values()].toSorted((a, b) => (a.client_id < b.client_id ? -1 : 1));
}

async function followEach(
  api: ApiClient,
  job: JobRecord,
  terminal: Terminal,
  options: FollowOptions,
): Promise<void> {
  for (;;) {
    const records = await newestOf(api, job.job_id, options.signal);
    if (records.length === job.total) {
      const started = records.map(({ client_id, download_id }) => ({
        clientId: client_id,
        downloadId: download_id,
        message: "",
      }));
      await follow(api, started, terminal, { ...options, job });
      return;
    }
    await pause(POLL_INTERVAL_MS, options.signal);
  }
}

async function untilEnded(
  api: ApiClient,
  jobId: string,
  terminal: Terminal,
  { signal, ...options }: FollowOptions,
  isShown: boolean,
): Promise<void> {
  const end = new AbortController();
  const combinedSignal = signal ? AbortSignal.any([signal, end.signal]) : end.signal;
  const progress = isShown ? new Progress(terminal) : null;
  try {
    for await (const { event, data } of api.changes({ ...options, signal: combinedSignal })) {
      if (event !== "job" || data.job_id !== jobId) continue;
      progress?.setTotal(barOf(data));
      if (data.ended_at !== null) return;
    }
  } finally {
    end.abort();
    progress?.stop();
  }
}

/** Returns the progress bar of a whole job. */
function barOf(job: JobRecord): BarState {
  const { counts, total, status } = job;
  const ended = counts.completed + counts.failed + counts.cancelled;
  return {
    label: `${ended} of ${total}`,
    done: job.bytes_received,
    // The total size is known only at the end. Until then, the bar shows the share of ended downloads.
    total: ended === total ? job.total_size : null,
    share: total === 0 ? 1 : ended / total,
    bytesPerSecond: null,
    etaSeconds: null,
    note: counts.failed > 0 ? `${counts.failed} failed` : status,
    ...(status === "paused" && pausedNote(job.job_id)),
    tone: counts.failed > 0 ? "bad" : status === "completed" ? "good" : "active",
  };
}
