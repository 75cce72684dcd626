import { endpoints } from "../../api/endpoints.ts";
import { openApiDocument } from "../../api/openapi.ts";
import type { AuditList } from "../../api/audit.ts";
import type { EnrolmentKeyList, IssuedEnrolmentKey } from "../../api/enrolment.ts";
import type { IssuedToken, TokenList } from "../../api/tokens.ts";
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
import { type Caller, LOCAL_ADMIN, NotSeen, sees } from "../access/caller.ts";
import type { Audit } from "../access/audit.ts";
import type { EnrolmentKeys } from "../access/enrolment.ts";
import type { Tokens } from "../access/tokens.ts";
import { clientNotFound, type Clients } from "../clients.ts";
import { contentResponse } from "./content.ts";
import type { Download } from "../download.ts";
import { downloadNotFound, type Downloads } from "../downloads.ts";
import type { EventFeeds } from "../events/event-feeds.ts";
import { json, jsonText } from "./json.ts";
import { CONTENT_TYPE } from "../metrics/prometheus.ts";
import {
  auditRecord,
  clientRecord,
  downloadRecord,
  enrolmentKeyRecord,
  isoTime,
  tokenRecord,
} from "./records.ts";
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
  tokens: Tokens;
  enrolmentKeys: EnrolmentKeys;
  audit: Pick<Audit, "list">;
  version: string;
}

export type Handlers = { [Name in keyof typeof endpoints]: Handler<(typeof endpoints)[Name]> };

/** What each call of the REST interface does, by the endpoint's name. */
export function restHandlers(options: RestOptions): Handlers {
  const { clients, downloads, events, storage, signIn, tokens, enrolmentKeys, audit } = options;
  const { version } = options;

  // Once: it takes milliseconds to make, and whoever asks for it needs no token.
  const document = JSON.stringify(openApiDocument(version));
  const record = (download: Download) => downloadRecord(download, downloads.progressOf(download));

  /** @throws FdsError `download_not_found`, also for a download that the caller does not see */
  const download = async (downloadId: string, caller: Caller): Promise<Download> => {
    const found = await downloads.get(downloadId);
    if (!sees(caller, found.clientId)) throw new NotSeen(downloadNotFound(), found.clientId);
    return found;
  };

  return {
    async health() {
      const active = await downloads.countActive();
      return json({
        status: "healthy",
        version,
        uptime_seconds: Math.floor(process.uptime()),
        connected_clients: clients.connectedCount,
        active_downloads: [...active.values()].reduce((sum, count) => sum + count, 0),
      } satisfies Health);
    },

    async metrics({ caller }) {
      if (caller.sites) {
        throw new FdsError("forbidden", "Use a token that sees all sites, metrics are of all");
      }
      const page = await options.metricsPage();
      return new Response(page, { headers: { "Content-Type": CONTENT_TYPE } });
    },

    openapi: () => jsonText(document),

    async getSession({ request }) {
      return json(sessionRecord(signIn, (await signIn?.sessionOf(request)) ?? null));
    },

    async signIn({ body, request, address, note }) {
      if (!signIn) return json(sessionRecord(null, null));
      const { caller, cookie } = await signIn.signIn(body, request, address);
      note({ actor: caller.name });
      return json(sessionRecord(signIn, caller), { headers: { "Set-Cookie": cookie } });
    },

    async signOut({ request, note }) {
      if (!signIn) return json(sessionRecord(null, null));
      note({ actor: (await signIn.sessionOf(request))?.name ?? null });
      const headers = { "Set-Cookie": await signIn.signOut(request) };
      return json(sessionRecord(signIn, null), { headers });
    },

    createSignInCode({ caller }) {
      if (!signIn) throw new FdsError("not_found", "This server has no token to sign in with");
      const { code, expiresAt } = signIn.newCode(caller);
      return json({ code, expires_at: isoTime(expiresAt) } satisfies SignInCode);
    },

    async totals({ query, caller }) {
      const totals = await downloads.totalsSince(Date.parse(query.since), caller.sites);
      return json({
        downloads: totals.downloads,
        bytes_received: totals.bytes,
      } satisfies Totals);
    },

    async listClients({ caller }) {
      const [all, active] = [await clients.list(), await downloads.countActive()];
      const known = all.filter(({ clientId }) => sees(caller, clientId));
      return json({
        clients: known.map((client) => clientRecord(client, active.get(client.clientId) ?? 0)),
      } satisfies ClientList);
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
      return accepted(made, `The download is queued${wait}`);
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
      return json(record(await download(param("download_id"), caller)));
    },

    async downloadContent({ param, request, caller, note }) {
      const found = await download(param("download_id"), caller);
      note(aboutOf(found));
      if (found.status !== "completed") {
        throw new FdsError("download_not_finished", `The download is ${found.status}`);
      }
      const file = await storage.openFile(found.savedPath);
      if (file?.size !== found.source.totalSize) {
        throw new FdsError("not_found", "The file was removed or changed on the server's disk");
      }
      return contentResponse(found, file, request);
    },

    async downloadEvents({ param, request, caller }) {
      const found = await download(param("download_id"), caller);
      return events.of(found, caller, request.headers.get("Last-Event-ID"));
    },

    events: ({ request, caller }) => events.all(caller, request.headers.get("Last-Event-ID")),

    async changeDownload({ param, body, caller, note }) {
      const found = await download(param("download_id"), caller);
      note(aboutOf(found));
      return json(record(await downloads.limitRate(found.downloadId, body.rate_limit)));
    },

    async cancelDownload({ param, caller, note }) {
      const found = await download(param("download_id"), caller);
      note(aboutOf(found));
      return json(record(await downloads.cancel(found.downloadId)));
    },

    async retryDownload({ param, caller, note }) {
      const found = await download(param("download_id"), caller);
      note(aboutOf(found));
      const made = await downloads.retry(found.downloadId);
      return accepted(made, "The file is queued again, as a new download");
    },

    async revokeClient({ param, note }) {
      note({ clientId: param("client_id") });
      const client = await clients.revoke(param("client_id"));
      const active = await downloads.countActive();
      return json(clientRecord(client, active.get(client.clientId) ?? 0));
    },

    async listEnrolmentKeys() {
      const keys = await enrolmentKeys.list();
      return json({ enrolment_keys: keys.map(enrolmentKeyRecord) } satisfies EnrolmentKeyList);
    },

    async createEnrolmentKey({ body, note }) {
      note({ target: body.name });
      const { secret, key } = await enrolmentKeys.create(body);
      const answer: IssuedEnrolmentKey = { enrolment_key: secret, record: enrolmentKeyRecord(key) };
      return json(answer, { status: 201 });
    },

    async revokeEnrolmentKey({ param, note }) {
      note({ target: param("name") });
      return json(enrolmentKeyRecord(await enrolmentKeys.revoke(param("name"))));
    },

    async listTokens() {
      return json({ tokens: (await tokens.list()).map(tokenRecord) } satisfies TokenList);
    },

    async createToken({ body, note }) {
      note({ target: body.name });
      const { secret, token } = await tokens.create(body);
      const answer: IssuedToken = { token: secret, record: tokenRecord(token) };
      return json(answer, { status: 201 });
    },

    async revokeToken({ param, note }) {
      note({ target: param("name") });
      return json(tokenRecord(await tokens.revoke(param("name"))));
    },

    async audit({ query }) {
      const { client_id: clientId, download_id: downloadId, since, limit, cursor, ...rest } = query;
      const found = await audit.list({
        ...rest,
        clientId,
        downloadId,
        since: since === undefined ? undefined : Date.parse(since),
        before: cursor,
        limit: limit + 1,
      });
      const page = found.slice(0, limit);
      return json({
        records: page.map(auditRecord),
        next_cursor: found.length > limit ? (page.at(-1)?.auditId ?? null) : null,
      } satisfies AuditList);
    },
  };
}

/** What the audit is told of a download. */
function aboutOf({ downloadId, clientId, filePath }: Download) {
  return { downloadId, clientId, filePath };
}

/** @param caller who is signed in; null: nobody, and where the server asks for no token, anyone */
function sessionRecord(signIn: SignIn | null, caller: Caller | null): Session {
  return {
    signed_in: signIn === null || caller !== null,
    required: signIn !== null,
    expires_at: caller?.expiresAt == null ? null : isoTime(caller.expiresAt),
    role: signIn === null ? LOCAL_ADMIN.role : (caller?.role ?? null),
  };
}

function accepted(download: Download, message: string): Response {
  const { downloadId, status } = download;
  const body: DownloadAccepted = { success: true, download_id: downloadId, status, message };
  return json(body, { status: 202, headers: { Location: `/api/downloads/${downloadId}` } });
}
