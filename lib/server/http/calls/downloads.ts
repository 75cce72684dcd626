import type { DownloadAccepted, DownloadList, Totals } from "../../../api/schemas.ts";
import { FdsError } from "../../../protocol/errors.ts";
import { type Caller, canEnd, NotSeen, sees } from "../../access/caller.ts";
import type { OpenCalls } from "../../access/open-calls.ts";
import { clientNotFound, type Clients } from "../../clients/clients.ts";
import type { Download } from "../../download.ts";
import { downloadNotFound, type Downloads } from "../../downloads/downloads.ts";
import type { EventFeeds } from "../../events/event-feeds.ts";
import type { Storage } from "../../storage/storage.ts";
import { contentResponse } from "../content.ts";
import { endableBody } from "../endable-body.ts";
import { json } from "../json.ts";
import { downloadRecord } from "../../records/records.ts";
import type { Handlers } from "../routing.ts";

export interface DownloadCallsOptions {
  clients: Pick<Clients, "get">;
  downloads: Downloads;
  events: Pick<EventFeeds, "of">;
  storage: Pick<Storage, "openFile">;
  openCalls: OpenCalls;
}

/** What is asked about downloads: to start them, to follow them, and to take what came of them. */
export function downloadCalls(options: DownloadCallsOptions) {
  const { clients, downloads, events, storage, openCalls } = options;
  const record = (download: Download) => downloadRecord(download, downloads.progressOf(download));

  /** @throws FdsError `download_not_found`, also for a download that the caller does not see */
  const seen = async (downloadId: string, caller: Caller): Promise<Download> => {
    const found = await downloads.get(downloadId);
    if (!sees(caller, found.clientId)) throw new NotSeen(downloadNotFound(), found.clientId);
    return found;
  };

  return {
    async totals({ query, caller }) {
      const totals = await downloads.totalsSince(Date.parse(query.since), caller.sites);
      return json({
        downloads: totals.downloads,
        bytes_received: totals.bytes,
      } satisfies Totals);
    },

    async startDownload({ body, caller, note }) {
      note({ clientId: body.client_id, filePath: body.file_path });
      const client = await clients.get(body.client_id);
      if (!client) throw clientNotFound(body.client_id);
      if (!sees(caller, body.client_id)) {
        throw new NotSeen(clientNotFound(body.client_id), body.client_id);
      }
      if (!client.connected && body.if_offline === "fail") {
        throw new FdsError("client_not_connected", `"${body.client_id}" is not connected`);
      }
      const { client_id: clientId, file_path: filePath, checksum, rate_limit: rateLimit } = body;
      const made = await downloads.create({ clientId, filePath, checksum, rateLimit });
      note({ downloadId: made.downloadId });
      const wait = client.connected ? "" : `, it waits until "${body.client_id}" connects`;
      return accepted(made, `The download is queued${wait}`, "downloads/");
    },

    async listDownloads({ query, caller: { sites } }) {
      const { status, client_id: clientId, limit, cursor: before } = query;
      // One more than asked for tells whether there is another page.
      const found = await downloads.list({ status, clientId, sites, before, limit: limit + 1 });
      const page = found.slice(0, limit);
      return json({
        downloads: page.map(record),
        next_cursor: found.length > limit ? (page.at(-1)?.downloadId ?? null) : null,
      } satisfies DownloadList);
    },

    async getDownload({ param, caller }) {
      return json(record(await seen(param("download_id"), caller)));
    },

    async downloadContent({ param, request, caller, note }) {
      const found = await seen(param("download_id"), caller);
      note(aboutOf(found));
      if (found.status !== "completed") {
        throw new FdsError("download_not_finished", `The download is ${found.status}`);
      }
      const file = await storage.openFile(found.savedPath);
      if (file?.size !== found.source.totalSize) {
        throw new FdsError("not_found", "The file was removed or changed on the server's disk");
      }
      // The answer to HEAD has no body that could go on.
      const isEndable = request.method === "GET" && canEnd(caller);
      return contentResponse(found, file, request, (bytes) =>
        isEndable ? endableBody(bytes, caller, openCalls) : bytes,
      );
    },

    async downloadEvents({ param, request, caller }) {
      const found = await seen(param("download_id"), caller);
      return events.of(found, caller, request.headers.get("Last-Event-ID"));
    },

    async changeDownload({ param, body, caller, note }) {
      const found = await seen(param("download_id"), caller);
      note(aboutOf(found));
      return json(record(await downloads.limitRate(found.downloadId, body.rate_limit)));
    },

    async cancelDownload({ param, caller, note }) {
      const found = await seen(param("download_id"), caller);
      note(aboutOf(found));
      return json(record(await downloads.cancel(found.downloadId)));
    },

    async retryDownload({ param, caller, note }) {
      const found = await seen(param("download_id"), caller);
      note(aboutOf(found));
      const made = await downloads.retry(found.downloadId);
      return accepted(made, "The file is queued again, as a new download", "../");
    },
  } satisfies Partial<Handlers>;
}

/** What the audit is told of a download. */
function aboutOf({ downloadId, clientId, filePath }: Download) {
  return { downloadId, clientId, filePath };
}

/** @param folder of downloads, relative to the call: the server may lie below a path of a proxy */
function accepted(download: Download, message: string, folder: string): Response {
  const { downloadId, status } = download;
  const body: DownloadAccepted = { success: true, download_id: downloadId, status, message };
  return json(body, { status: 202, headers: { Location: `${folder}${downloadId}` } });
}
