import type { ClientRecord } from "../../../api/schemas.ts";
import { sees } from "../../access/caller.ts";
import type { Browsing } from "../../clients/browsing.ts";
import { clientNotFound, type Clients } from "../../clients/clients.ts";
import type { Downloads } from "../../downloads/downloads.ts";
import { json } from "../json.ts";
import { listAnswer } from "../long-list.ts";
import { clientRecord } from "../../records/records.ts";
import { fileListRecord, nameOf } from "../../records/files.ts";
import type { Handlers } from "../routing.ts";

export interface ClientCallsOptions {
  clients: Pick<Clients, "list" | "revoke">;
  downloads: Pick<Downloads, "countActive">;
  browsing: Browsing;
}

/** What is asked about clients. */
export function clientCalls({ clients, downloads, browsing }: ClientCallsOptions) {
  return {
    async listClients({ caller: { sites }, inTurn, ...answering }) {
      const active = await downloads.countActive();
      return listAnswer(answering, {
        name: "clients",
        read: (after, limit) => inTurn(() => clients.list({ after, sites, limit })),
        idOf: ({ clientId }) => clientId,
        record: (client): ClientRecord => clientRecord(client, active.get(client.clientId) ?? 0),
      });
    },

    async listClientFiles({ param, query, caller, request, note }) {
      const clientId = param("client_id");
      const { path, limit, cursor } = query;
      note({ clientId, filePath: path });
      if (!sees(caller, clientId)) throw clientNotFound(clientId);
      const after = cursor === undefined ? undefined : nameOf(cursor);
      const listing = await browsing.list(clientId, { path, after, limit }, request.signal);
      return json(fileListRecord(clientId, path ?? null, listing));
    },

    async revokeClient({ param, note }) {
      note({ clientId: param("client_id") });
      const client = await clients.revoke(param("client_id"));
      const active = await downloads.countActive();
      return json(clientRecord(client, active.get(client.clientId) ?? 0));
    },
  } satisfies Partial<Handlers>;
}
