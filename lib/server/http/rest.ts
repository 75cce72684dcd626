import { endpoints } from "../../api/endpoints.ts";
import { openApiDocument } from "../../api/openapi.ts";
import type {
  ClientList,
  DownloadAccepted,
  DownloadList,
  Health,
  Session,
  SignInCode,
  Totals,
} from "../../api/schemas.ts";
import { FdsError } from "../../protocol/errors.ts";
import type { Clients } from "../clients.ts";
import { contentResponse } from "./content.ts";
import type { Download } from "../download.ts";
import type { Downloads } from "../downloads.ts";
import type { EventFeeds } from "../events/event-feeds.ts";
import { json } from "./json.ts";
import { CONTENT_TYPE } from "../metrics/prometheus.ts";
import { clientRecord, downloadRecord, isoTime } from "./records.ts";
import type { Handler } from "./routing.ts";
import type { SignIn } from "./sign-in.ts";
import type { Storage } from "../storage/storage.ts";

export interface RestOptions {
  clients: Clients;
  downloads: Downloads;
  events: EventFeeds;
  storage: Storage;
  /** What `/metrics` answers. */
  metricsPage: () => Promise<string>;
  /** null where there is no token to sign in with. */
  signIn: SignIn | null;
  version: string;
  /** When the server started, ms since 1970. */
  startedAt: number;
}

type Handlers = { [Name in keyof typeof endpoints]: Handler<(typeof endpoints)[Name]> };

/** What each call of the REST interface does, by the endpoint's name. */
export function restHandlers(options: RestOptions): Handlers {
  const { clients, downloads, events, storage, signIn, version, startedAt } = options;

  const record = (download: Download) => downloadRecord(download, downloads.progressOf(download));

  return {
    async health() {
      const active = await downloads.countActive();
      return json({
        status: "healthy",
        version,
        uptime_seconds: Math.floor((Date.now() - startedAt) / 1000),
        connected_clients: clients.connectedCount,
        active_downloads: [...active.values()].reduce((sum, count) => sum + count, 0),
      } satisfies Health);
    },

    async metrics() {
      const page = await options.metricsPage();
      return new Response(page, { headers: { "Content-Type": CONTENT_TYPE } });
    },

    openapi: () => json(openApiDocument(version)),

    getSession({ request }) {
      return json(sessionRecord(signIn, signIn?.sessionOf(request) ?? null));
    },

    signIn({ body, request }) {
      if (!signIn) return json(sessionRecord(null, null));
      const { expiresAt, cookie } = signIn.signIn(body, request);
      return json(sessionRecord(signIn, expiresAt), { headers: { "Set-Cookie": cookie } });
    },

    signOut({ request }) {
      if (!signIn) return json(sessionRecord(null, null));
      const headers = { "Set-Cookie": signIn.signOut(request) };
      return json(sessionRecord(signIn, null), { headers });
    },

    createSignInCode() {
      if (!signIn) throw new FdsError("not_found", "This server has no token to sign in with");
      const { code, expiresAt } = signIn.newCode();
      return json({ code, expires_at: isoTime(expiresAt) } satisfies SignInCode);
    },

    async totals({ query }) {
      const totals = await downloads.totalsSince(Date.parse(query.since));
      return json({
        downloads: totals.downloads,
        bytes_received: totals.bytes,
      } satisfies Totals);
    },

    async listClients() {
      const [known, active] = [await clients.list(), await downloads.countActive()];
      return json({
        clients: known.map((client) => clientRecord(client, active.get(client.clientId) ?? 0)),
      } satisfies ClientList);
    },

    async startDownload({ body }) {
      const client = await clients.get(body.client_id);
      if (!client) {
        throw new FdsError("client_not_found", `No client "${body.client_id}" ever registered`);
      }
      if (!client.connected && body.if_offline === "fail") {
        throw new FdsError("client_not_connected", `"${body.client_id}" is not connected`);
      }
      const { client_id: clientId, file_path: filePath, checksum, rate_limit: rateLimit } = body;
      const download = await downloads.create({ clientId, filePath, checksum, rateLimit });
      const wait = client.connected ? "" : `, it waits until "${body.client_id}" connects`;
      return accepted(download, `The download is queued${wait}`);
    },

    async listDownloads({ query }) {
      const { status, client_id: clientId, limit, cursor: before } = query;
      // One more than asked for tells whether there is another page.
      const found = await downloads.list({ status, clientId, before, limit: limit + 1 });
      const page = found.slice(0, limit);
      return json({
        downloads: page.map(record),
        next_cursor: found.length > limit ? (page.at(-1)?.downloadId ?? null) : null,
      } satisfies DownloadList);
    },

    async getDownload({ param }) {
      return json(record(await downloads.get(param("download_id"))));
    },

    async downloadContent({ param, request }) {
      const download = await downloads.get(param("download_id"));
      if (download.status !== "completed") {
        throw new FdsError("download_not_finished", `The download is ${download.status}`);
      }
      const file = await storage.openFile(download.savedPath);
      if (file?.size !== download.source.totalSize) {
        throw new FdsError("not_found", "The file was removed or changed on the server's disk");
      }
      return contentResponse(download, file, request);
    },

    async downloadEvents({ param, request }) {
      const download = await downloads.get(param("download_id"));
      return events.of(download, request.headers.get("Last-Event-ID"));
    },

    events: ({ request }) => events.all(request.headers.get("Last-Event-ID")),

    async changeDownload({ param, body }) {
      const download = await downloads.limitRate(param("download_id"), body.rate_limit);
      return json(record(download));
    },

    async cancelDownload({ param }) {
      return json(record(await downloads.cancel(param("download_id"))));
    },

    async retryDownload({ param }) {
      const download = await downloads.retry(param("download_id"));
      return accepted(download, "The file is queued again, as a new download");
    },
  };
}

/** @param expiresAt when the caller's session ends, ms since 1970; null: there is none */
function sessionRecord(signIn: SignIn | null, expiresAt: number | null): Session {
  return {
    signed_in: signIn === null || expiresAt !== null,
    required: signIn !== null,
    expires_at: expiresAt === null ? null : isoTime(expiresAt),
  };
}

function accepted(download: Download, message: string): Response {
  const { downloadId, status } = download;
  const body: DownloadAccepted = { success: true, download_id: downloadId, status, message };
  return json(body, { status: 202, headers: { Location: `/api/downloads/${downloadId}` } });
}
