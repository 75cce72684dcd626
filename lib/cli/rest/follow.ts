import { hasEnded } from "../../api/has-ended.ts";
import type { JobRecord } from "../../api/jobs.ts";
import type { DownloadRecord, NewDownload } from "../../api/schemas.ts";
import type { ApiClient } from "./api-client.ts";
import { ApiCallError, isTransient } from "./api-errors.ts";
import type { WatchOptions } from "./live-changes.ts";
import { pause } from "../pause.ts";
import { barOf, totalBarOf } from "../terminal/download-bar.ts";
import { Failure } from "../program.ts";
import { Progress } from "../terminal/progress.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { watchMany } from "./watch-many.ts";

/**
 * Time that the server may be unreachable before following a download or job fails, in ms. A machine can
 * restart within this time.
 */
export const PATIENCE_MS = 10 * 60_000;

/**
 * The maximum number of requests for downloads at the same time. It is small, as a server limits the rate of
 * requests.
 */
const MAX_CONCURRENT_REQUESTS = 16;

/** The maximum number of tries of a request to a busy server. */
const MAX_TRIES = 30;
/** Wait between two tries of a request to a busy server, in ms. */
const RETRY_INTERVAL_MS = 1000;

/**
 * Up to this number of downloads, each download is followed by an event stream of its own. More downloads
 * share a single stream.
 */
const MAX_STREAMS = 8;

/** A download that the server has accepted. */
export interface StartedDownload {
  clientId: string;
  downloadId: string;
  message: string;
}

/** A client whose download the server refused, and the error. */
export interface RefusedDownload {
  clientId: string;
  error: ApiCallError;
}

/**
 * Requests downloads, several at a time.
 * @returns the accepted and the refused downloads, each in the order of the requests
 * @throws UnreachableError where the server does not answer
 * @throws the reason of `signal` when `signal` is aborted while the server is busy
 */
export async function startDownloads(
  api: ApiClient,
  requests: NewDownload[],
  signal?: AbortSignal,
): Promise<{ started: StartedDownload[]; refused: RefusedDownload[] }> {
  const answers: (StartedDownload | RefusedDownload)[] = [];
  const waiting = requests.entries();
  const ask = async () => {
    for (const [index, request] of waiting) answers[index] = await start(api, request, signal);
  };
  await Promise.all(Array.from({ length: MAX_CONCURRENT_REQUESTS }, ask));
  return {
    started: answers.filter((answer) => "downloadId" in answer),
    refused: answers.filter((answer) => "error" in answer),
  };
}

/** Requests a download. Repeats the request while the server is busy. */
async function start(
  api: ApiClient,
  request: NewDownload,
  signal?: AbortSignal,
): Promise<StartedDownload | RefusedDownload> {
  const clientId = request.client_id;
  for (let tries = 1; ; tries++) {
    try {
      const { download_id: downloadId, message } = await api.startDownload(request);
      return { clientId, downloadId, message };
    } catch (error) {
      if (!(error instanceof ApiCallError)) throw error;
      if (!isTransient(error) || tries === MAX_TRIES) return { clientId, error };
      await pause(RETRY_INTERVAL_MS, signal);
    }
  }
}

export interface FollowOptions extends WatchOptions {
  /** Called with the record of each download at first, and after each change. */
  onChange?: (record: DownloadRecord) => void;
  /**
   * Whether to show a bar for the sum of all downloads, too. A pipe or file then gets lines only for this bar
   * and for ended downloads.
   */
  withTotal?: boolean;
  /**
   * The job that made all of the downloads. While the job is paused, queued downloads are shown as paused.
   */
  job?: JobRecord;
}

/**
 * Shows a progress bar for each download until all have ended.
 * @returns the final records, in the order of the downloads
 * @throws the reason of `signal` when `signal` is aborted, or an error of {@link ApiClient}
 */
export async function follow(
  api: ApiClient,
  downloads: StartedDownload[],
  terminal: Terminal,
  { signal, onChange, withTotal = false, job, ...options }: FollowOptions = {},
): Promise<DownloadRecord[]> {
  const end = new AbortController();
  const combinedSignal = signal ? AbortSignal.any([signal, end.signal]) : end.signal;
  const progress = new Progress(terminal);
  const latest = new Map<string, DownloadRecord>();
  let pausedJobId = idIfPaused(job);
  const showOne = (record: DownloadRecord) => {
    if (withTotal && !terminal.live && !hasEnded(record)) return;
    progress.set(record.download_id, barOf(record, pausedJobId !== null));
  };
  const showTotal = () => {
    if (!withTotal) return;
    progress.setTotal(totalBarOf([...latest.values()], downloads.length, pausedJobId));
  };
  const show = (record: DownloadRecord) => {
    latest.set(record.download_id, record);
    onChange?.(record);
    showOne(record);
    showTotal();
  };
  const onJob = (changed: JobRecord) => {
    if (changed.job_id !== job?.job_id || idIfPaused(changed) === pausedJobId) return;
    pausedJobId = idIfPaused(changed);
    for (const record of latest.values()) showOne(record);
    showTotal();
  };
  const onUnreachable = () => {
    if (withTotal && !terminal.live) return;
    for (const [id, record] of latest) {
      if (hasEnded(record)) continue;
      progress.set(id, { ...barOf(record), bytesPerSecond: null, note: "no answer" });
    }
  };
  const ids = downloads.map(({ downloadId }) => downloadId);
  const watchOptions = { ...options, signal: combinedSignal, onUnreachable };
  try {
    // Only the stream of all changes reports changes of a job.
    if (job || ids.length > MAX_STREAMS) {
      return await watchMany(api, ids, show, { ...watchOptions, onJob });
    }
    return await Promise.all(ids.map((id) => api.watchDownload(id, show, watchOptions)));
  } finally {
    end.abort(new Failure("another download could not be followed"));
    progress.stop();
  }
}

/** Returns the id of a paused job; null where there is no job, or the job is not paused. */
function idIfPaused(job: JobRecord | undefined): string | null {
  return job?.status === "paused" ? job.job_id : null;
}
