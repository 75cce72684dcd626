import { endpoints } from "../../../api/endpoints.ts";
import { parseSelector } from "../../../api/selector.ts";
import type { Browsing } from "../../clients/browsing.ts";
import { clientNotFound, type Clients } from "../../clients/clients.ts";
import type { Downloads } from "../../downloads/downloads.ts";
import { fileListRecord, nameOf } from "../../records/files.ts";
import { clientRecord } from "../../records/records.ts";
import type { MakeCall } from "../call.ts";
import { json } from "../json.ts";
import { listAnswer } from "../long-list.ts";

export interface ClientCallsOptions {
  clients: Pick<Clients, "change" | "list" | "revoke" | "maySee">;
  downloads: Pick<Downloads, "countActive">;
  browsing: Browsing;
}

/** Builds the handlers of the REST calls about clients. */
export function clientCalls(call: MakeCall, options: ClientCallsOptions) {
  const { clients, downloads, browsing } = options;
  return {
    listClients: call(endpoints.listClients, async (c) => {
      const { caller, answering } = c.var;
      const { labels, connected, cursor, limit } = c.req.valid("query");
      const filter = {
        sites: caller.sites,
        selector: labels === undefined ? undefined : parseSelector(labels),
        connected: connected === undefined ? undefined : connected === "true",
      };
      const isPaged = limit !== undefined || cursor !== undefined;
      const active = await downloads.countActive();
      return listAnswer(answering, {
        name: "clients",
        read: (after, count) =>
          answering.inTurn(() => clients.list({ ...filter, after, limit: count })),
        idOf: ({ clientId }) => clientId,
        record: (client) => clientRecord(client, active.get(client.clientId) ?? 0),
        ...(isPaged && { page: { cursor, limit: limit ?? Infinity } }),
      });
    }),

    changeClient: call(endpoints.changeClient, async (c) => {
      const clientId = c.req.param("client_id");
      const { labels, time_zone: timeZone } = c.req.valid("json");
      c.var.note({ clientId });
      const client = await clients.change(clientId, { labels, timeZone });
      const active = await downloads.countActive();
      return json(clientRecord(client, active.get(client.clientId) ?? 0));
    }),

    listClientFiles: call(endpoints.listClientFiles, async (c) => {
      const clientId = c.req.param("client_id");
      const { path, limit, cursor } = c.req.valid("query");
      c.var.note({ clientId, filePath: path });
      if (!(await clients.maySee(c.var.caller, clientId))) throw clientNotFound(clientId);
      const after = cursor === undefined ? undefined : nameOf(cursor);
      const listing = await browsing.list(clientId, { path, after, limit }, c.req.raw.signal);
      return json(fileListRecord(clientId, path ?? null, listing));
    }),

    revokeClient: call(endpoints.revokeClient, async (c) => {
      const clientId = c.req.param("client_id");
      c.var.note({ clientId });
      const client = await clients.revoke(clientId);
      const active = await downloads.countActive();
      return json(clientRecord(client, active.get(client.clientId) ?? 0));
    }),
  };
}
