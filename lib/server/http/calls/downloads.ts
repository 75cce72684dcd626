import type * as z from "zod";
import { endpoints } from "../../../api/endpoints.ts";
import type { NewDownload } from "../../../api/schemas.ts";
import { FdsError } from "../../../protocol/errors.ts";
import { FEATURES } from "../../../protocol/messages.ts";
import { localTimeAt } from "../../../util/time-zone.ts";
import { type Caller, OutOfScope } from "../../access/caller.ts";
import { clientNotFound, type Clients } from "../../clients/clients.ts";
import type { KnownClient } from "../../clients/known-clients.ts";
import { timeZoneOf } from "../../clients/time-zone.ts";
import { type Download, isDated } from "../../download.ts";
import type { Downloads } from "../../downloads/downloads.ts";
import { downloadRecord } from "../../records/records.ts";
import type { MakeCall } from "../call.ts";
import { json } from "../json.ts";
import { listAnswer } from "../long-list.ts";
import { nameOfOrder, orderOf } from "./order.ts";
import { accepted } from "./accepted.ts";
import { seenDownload } from "./seen-download.ts";

export interface DownloadCallsOptions {
  clients: Pick<Clients, "get" | "maySee">;
  downloads: Downloads;
}

/** Builds the handlers of the REST calls that create and show downloads. */
export function downloadCalls(call: MakeCall, options: DownloadCallsOptions) {
  const { clients, downloads } = options;
  const record = (download: Download) => downloadRecord(download, downloads.progressOf(download));

  return {
    startDownload: call(endpoints.startDownload, async (c) => {
      const body = c.req.valid("json");
      const { caller, note } = c.var;
      note({ clientId: body.client_id, filePath: nameOfOrder(body) });
      const client = await requireClient(clients, body, caller);
      const order = orderOf(body);
      const made = await downloads.create({
        ...order,
        clientId: body.client_id,
        jobId: null,
        localTime: isDated(order) ? localTimeAt(Date.now(), timeZoneOf(client)) : null,
      });
      note({ downloadId: made.downloadId });
      const wait = client.connected ? "" : `, it waits until "${body.client_id}" connects`;
      return accepted(made, `The download is queued${wait}`, "downloads/");
    }),

    listDownloads: call(endpoints.listDownloads, (c) => {
      const { caller, answering } = c.var;
      const { status, client_id: clientId, job_id: jobId, open, ...page } = c.req.valid("query");
      const filter = { status, clientId, jobId, sites: caller.sites, open: open !== undefined };
      return listAnswer(answering, {
        name: "downloads",
        read: (before, limit) =>
          answering.inTurn(() => downloads.list({ ...filter, before, limit })),
        idOf: ({ downloadId }) => downloadId,
        record,
        page,
      });
    }),

    getDownload: call(endpoints.getDownload, async (c) =>
      json(record(await seenDownload(options, c.req.param("download_id"), c.var.caller))),
    ),

    totals: call(endpoints.totals, async (c) => {
      const { caller, answering } = c.var;
      const since = Date.parse(c.req.valid("query").since);
      const totals = await downloads.totalsSince(since, caller.sites, answering.inTurn);
      return json({
        downloads: totals.downloads,
        bytes_received: totals.bytes,
        open_failures: totals.openFailures,
      });
    }),
  };
}

type StartDownload = z.output<typeof NewDownload>;

/**
 * Returns the client of a requested download, after checking that the download is possible.
 * @throws FdsError `client_not_found`, `client_not_connected` or `client_outdated`
 */
async function requireClient(
  clients: Pick<Clients, "get" | "maySee">,
  { client_id: clientId, if_offline: ifOffline, paths }: StartDownload,
  caller: Caller,
): Promise<KnownClient> {
  const client = await clients.get(clientId);
  if (!client) throw clientNotFound(clientId);
  if (!(await clients.maySee(caller, clientId))) {
    throw new OutOfScope(clientNotFound(clientId), clientId);
  }
  if (!client.connected && ifOffline === "fail") {
    throw new FdsError("client_not_connected", `"${clientId}" is not connected`);
  }
  if (paths && !client.features.includes(FEATURES.set)) {
    const message = `"${clientId}" is too old for folders and patterns: update it`;
    throw new FdsError("client_outdated", message);
  }
  return client;
}
