import type * as z from "zod";
import {
  DEFAULT_FILE,
  type DownloadAccepted,
  type NewDownload,
  type Totals,
} from "../../../api/schemas.ts";
import type { SetFileRecord } from "../../../api/sets.ts";
import { FdsError } from "../../../protocol/errors.ts";
import { FEATURES, MAX_SET_FILES } from "../../../protocol/messages.ts";
import { type Caller, canEnd, OutOfScope, sees } from "../../access/caller.ts";
import type { OpenCalls } from "../../access/open-calls.ts";
import { clientNotFound, type Clients } from "../../clients/clients.ts";
import type { Completed, Download, Order } from "../../download.ts";
import { downloadNotFound, type Downloads } from "../../downloads/downloads.ts";
import type { EventFeeds } from "../../events/event-feeds.ts";
import type { Storage } from "../../storage/storage.ts";
import { contentResponse } from "../content.ts";
import { endableBody } from "../endable-body.ts";
import { json } from "../json.ts";
import { listAnswer } from "../long-list.ts";
import { downloadRecord } from "../../records/records.ts";
import { setFileRecord } from "../../records/set-files.ts";
import type { SetRows } from "../../set.ts";
import { openSetFile, savedPathOf, setContentResponse } from "../set-content.ts";
import type { Handlers } from "../routing.ts";

export interface DownloadCallsOptions {
  clients: Pick<Clients, "get">;
  downloads: Downloads;
  events: Pick<EventFeeds, "of">;
  storage: Pick<Storage, "openFile">;
  openCalls: OpenCalls;
  sets: SetRows;
}

/** What is asked about downloads: to start them, to follow them, and to take what came of them. */
export function downloadCalls(options: DownloadCallsOptions) {
  const { clients, downloads, events, storage, openCalls, sets } = options;
  const record = (download: Download) => downloadRecord(download, downloads.progressOf(download));

  /** @throws FdsError `download_not_found`, also for a download that the caller does not see */
  const seen = async (downloadId: string, caller: Caller): Promise<Download> => {
    const found = await downloads.get(downloadId);
    if (!sees(caller, found.clientId)) throw new OutOfScope(downloadNotFound(), found.clientId);
    return found;
  };

  /** Makes a body end with its caller's right; the answer to HEAD has none that could go on. */
  const ending =
    (request: Request, caller: Caller) => (bytes: Blob | ReadableStream<Uint8Array>) =>
      request.method === "GET" && canEnd(caller)
        ? endableBody(bytes instanceof Blob ? bytes.stream() : bytes, caller, openCalls)
        : bytes;

  /** A set as an archive, or one of its files. */
  const setContent = async (
    found: Completed,
    path: string | undefined,
    request: Request,
    caller: Caller,
  ) => {
    const stored = { rows: sets, storage };
    if (path === undefined) {
      const { headers, body } = setContentResponse(found, request, stored);
      return new Response(body && ending(request, caller)(body), { headers });
    }
    const { file, digest, savedPath } = await openSetFile(found, path, stored);
    const { checksum } = found;
    return contentResponse({ checksum, digest, savedPath }, file, request, ending(request, caller));
  };

  return {
    async totals({ query, caller, inTurn }) {
      const since = Date.parse(query.since);
      const totals = await downloads.totalsSince(since, caller.sites, inTurn);
      return json({
        downloads: totals.downloads,
        bytes_received: totals.bytes,
        open_failures: totals.openFailures,
      } satisfies Totals);
    },

    async startDownload({ body, caller, note }) {
      note({ clientId: body.client_id, filePath: nameOfOrder(body) });
      const client = await clients.get(body.client_id);
      if (!client) throw clientNotFound(body.client_id);
      if (!sees(caller, body.client_id)) {
        throw new OutOfScope(clientNotFound(body.client_id), body.client_id);
      }
      if (!client.connected && body.if_offline === "fail") {
        throw new FdsError("client_not_connected", `"${body.client_id}" is not connected`);
      }
      if (body.paths && !client.features.includes(FEATURES.set)) {
        const message = `"${body.client_id}" is too old for folders and patterns: update it`;
        throw new FdsError("client_outdated", message);
      }
      const made = await downloads.create(orderOf(body));
      note({ downloadId: made.downloadId });
      const wait = client.connected ? "" : `, it waits until "${body.client_id}" connects`;
      return accepted(made, `The download is queued${wait}`, "downloads/");
    },

    listDownloads({ query, caller: { sites }, inTurn, ...answering }) {
      const { status, client_id: clientId, open, ...page } = query;
      const filter = { status, clientId, sites, open: open !== undefined };
      return listAnswer(answering, {
        name: "downloads",
        read: (before, limit) => inTurn(() => downloads.list({ ...filter, before, limit })),
        idOf: ({ downloadId }) => downloadId,
        record,
        page,
      });
    },

    async getDownload({ param, caller }) {
      return json(record(await seen(param("download_id"), caller)));
    },

    async listSetFiles({ param, query, caller, inTurn, ...answering }) {
      const found = await seen(param("download_id"), caller);
      const { status, ...page } = query;
      const savedPath = found.status === "completed" ? found.savedPath : null;
      return listAnswer(answering, {
        name: "files",
        read: (cursor, limit) => {
          const after = cursor === undefined ? -1 : Number(cursor);
          const filter = { status, known: true, after, limit };
          return sets.list(found.downloadId, filter, inTurn);
        },
        idOf: ({ index }) => String(index),
        record: (file): SetFileRecord =>
          setFileRecord(found, file, savedPathOf({ savedPath }, file)),
        page,
      });
    },

    async downloadContent({ param, query, request, caller, note }) {
      const found = await seen(param("download_id"), caller);
      note(aboutOf(found));
      if (found.status !== "completed") {
        throw new FdsError("download_not_finished", `The download is ${found.status}`);
      }
      if (found.set) return setContent(found, query.path, request, caller);
      if (query.path !== undefined) throw new FdsError("not_found", "The download is no set");
      if (found.savedPath === null) throw new Error("a file was published nowhere");
      const file = await storage.openFile(found.savedPath);
      if (file?.size !== found.source.totalSize) {
        throw new FdsError("not_found", "The file was removed or changed on the server's disk");
      }
      const { checksum, digest, savedPath } = found;
      return contentResponse(
        { checksum, digest, savedPath },
        file,
        request,
        ending(request, caller),
      );
    },

    async downloadEvents({ param, request, caller }) {
      const found = await seen(param("download_id"), caller);
      return events.of(found, caller, request);
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
      const what = made.set ? "The set" : "The file";
      return accepted(made, `${what} is queued again, as a new download`, "../");
    },
  } satisfies Partial<Handlers>;
}

type StartDownload = z.output<typeof NewDownload>;

/** The file that is asked for, or the patterns of a set, for people. */
function nameOfOrder({ file_path, paths }: StartDownload): string {
  return paths?.join(" ") ?? file_path ?? DEFAULT_FILE;
}

function orderOf(body: StartDownload): Order {
  const { client_id: clientId, paths, checksum, rate_limit: rateLimit } = body;
  const set = paths && {
    paths,
    exclude: body.exclude ?? [],
    minAgeMs: body.min_age ?? 0,
    unchanged: body.unchanged ?? "send",
    strict: body.strict ?? false,
    ifNone: body.if_none ?? "fail",
    maxFiles: body.max_files ?? MAX_SET_FILES,
    maxBytes: body.max_bytes ?? null,
  };
  return { clientId, filePath: nameOfOrder(body), set: set ?? null, checksum, rateLimit };
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
