import { hasEnded } from "../../api/has-ended.ts";
import type { DownloadRecord } from "../../api/schemas.ts";
import type { ApiClient } from "../rest/api-client.ts";
import { follow, startDownloads } from "../rest/follow.ts";
import { Failure } from "../program.ts";
import type { Terminal } from "../terminal/terminal.ts";

/** The demo fails when none of its downloads has made progress for this time, in ms. */
const STALL_TIMEOUT = 60_000;

/**
 * Pulls the default file of every client at the same time, with a progress bar for each.
 * @returns the final records, in the order of the clients
 * @throws Failure when a download is refused, or no download makes progress for {@link STALL_TIMEOUT}
 * @throws the reason of `outer` when `outer` is aborted
 */
export async function pullAll(
  api: ApiClient,
  clientIds: string[],
  terminal: Terminal,
  outerSignal: AbortSignal,
): Promise<DownloadRecord[]> {
  const end = new AbortController();
  const signal = AbortSignal.any([outerSignal, end.signal]);
  const latest = new Map<string, DownloadRecord>();
  const stallTimer = setTimeout(() => end.abort(stallFailure([...latest.values()])), STALL_TIMEOUT);
  const onChange = (record: DownloadRecord) => {
    stallTimer.refresh();
    latest.set(record.client_id, record);
  };
  try {
    const requests = clientIds.map((client_id) => ({ client_id }));
    const { started, refused } = await startDownloads(api, requests, signal);
    if (refused.length > 0) throw new Failure(refused.map(({ error }) => error.message).join("; "));
    return await follow(api, started, terminal, { signal, onChange });
  } finally {
    clearTimeout(stallTimer);
  }
}

function stallFailure(records: DownloadRecord[]): Failure {
  const waiting = records.filter((record) => !hasEnded(record));
  const names = waiting.map(({ client_id, status }) => `${client_id} is "${status}"`);
  return new Failure(
    `nothing has moved for ${STALL_TIMEOUT / 1000} s: ${names.join(", ") || "no download began"}`,
  );
}
