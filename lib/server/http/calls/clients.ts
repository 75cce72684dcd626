import { endpoints } from "../../../api/endpoints.ts";
import type { Browsing } from "../../clients/browsing.ts";
import { clientNotFound, type Clients } from "../../clients/clients.ts";
import type { Downloads } from "../../downloads/downloads.ts";
import { fileListRecord, nameOf } from "../../records/files.ts";
import { clientRecord } from "../../records/records.ts";
import type { MakeCall } from "../call.ts";
import { json } from "../json.ts";
import { listAnswer } from "../long-list.ts";

export interface ClientCallsOptions {
  clients: Pick<Clients, "list" | "revoke" | "sees">;
  downloads: Pick<Downloads, "countActive">;
  browsing: Browsing;
}

/** What is asked about clients. */
export function clientCalls(call: MakeCall, options: ClientCallsOptions) {
  const { clients, downloads, browsing } = options;
  return {
    listClients: call(endpoints.listClients, async (c) => {
      const { caller, answering } = c.var;
      const { sites } = caller;
      const active = await downloads.countActive();
      return listAnswer(answering, {
        name: "clients",
        read: (after, limit) => answering.inTurn(() => clients.list({ after, sites, limit })),
        idOf: ({ clientId }) => clientId,
        record: (client) => clientRecord(client, active.get(client.clientId) ?? 0),
      });
    }),

    listClientFiles: call(endpoints.listClientFiles, async (c) => {
      const clientId = c.req.param("client_id");
      const { path, limit, cursor } = c.req.valid("query");
      c.var.note({ clientId, filePath: path });
      if (!(await clients.sees(c.var.caller, clientId))) throw clientNotFound(clientId);
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
