import type { DownloadRecord, NewDownload } from "../../api/schemas.ts";
import { type ApiClient, ApiCallError, hasEnded, type WatchOptions } from "./api-client.ts";
import { barOf, totalBarOf } from "../terminal/download-bar.ts";
import { Failure } from "../program.ts";
import { Progress } from "../terminal/progress.ts";
import type { Terminal } from "../terminal/terminal.ts";

/** How long the server may be away, in ms: a machine has time to be started again. */
export const PATIENCE_MS = 10 * 60_000;

/** A download that the server has taken on. */
export interface Started {
  clientId: string;
  downloadId: string;
  message: string;
}

/** A client whose download the server refused, and why. */
export interface Refused {
  clientId: string;
  error: ApiCallError;
}

/**
 * Asks for downloads, all at once.
 * @returns both in the order of the requests
 * @throws UnreachableError
 */
export async function startDownloads(
  api: ApiClient,
  requests: NewDownload[],
): Promise<{ started: Started[]; refused: Refused[] }> {
  const answers = await Promise.all(requests.map((request) => start(api, request)));
  return {
    started: answers.filter((answer) => "downloadId" in answer),
    refused: answers.filter((answer) => "error" in answer),
  };
}

async function start(api: ApiClient, request: NewDownload): Promise<Started | Refused> {
  const clientId = request.client_id;
  try {
    const { download_id: downloadId, message } = await api.startDownload(request);
    return { clientId, downloadId, message };
  } catch (error) {
    if (!(error instanceof ApiCallError)) throw error;
    return { clientId, error };
  }
}

export interface FollowOptions extends WatchOptions {
  /** Gets each record at first, and whenever it is another. */
  onChange?: (record: DownloadRecord) => void;
  /** Also shows one bar for all of them; where lines cannot be redrawn, that and the ends alone. */
  withTotal?: boolean;
}

/**
 * Shows a progress bar for each download until all have ended.
 * @returns the records, each with its terminal status, in the order of the downloads
 * @throws the reason of the signal when it is aborted, or what the API throws
 */
export async function follow(
  api: ApiClient,
  downloads: Started[],
  terminal: Terminal,
  { signal, onChange, withTotal = false, ...options }: FollowOptions = {},
): Promise<DownloadRecord[]> {
  const end = new AbortController();
  const either = signal ? AbortSignal.any([signal, end.signal]) : end.signal;
  const progress = new Progress(terminal);
  const latest = new Map<string, DownloadRecord>();
  const watch = ({ downloadId }: Started) => {
    const show = (record: DownloadRecord) => {
      latest.set(downloadId, record);
      onChange?.(record);
      if (!withTotal || terminal.live || hasEnded(record)) progress.set(downloadId, barOf(record));
      if (withTotal) progress.setTotal(totalBarOf([...latest.values()], downloads.length));
    };
    const onAway = () => {
      const last = latest.get(downloadId);
      if (last)
        progress.set(downloadId, { ...barOf(last), bytesPerSecond: null, note: "no answer" });
    };
    return api.watchDownload(downloadId, show, { ...options, signal: either, onAway });
  };
  try {
    return await Promise.all(downloads.map(watch));
  } finally {
    end.abort(new Failure("another download could not be followed"));
    progress.stop();
  }
}
