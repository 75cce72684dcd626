import type { ClientList } from "../../../api/schemas.ts";
import { sees } from "../../access/caller.ts";
import type { Clients } from "../../clients/clients.ts";
import type { Downloads } from "../../downloads/downloads.ts";
import { json } from "../json.ts";
import { clientRecord } from "../../records/records.ts";
import type { Handlers } from "../routing.ts";

export interface ClientCallsOptions {
  clients: Pick<Clients, "list" | "revoke">;
  downloads: Pick<Downloads, "countActive">;
}

/** What is asked about clients. */
export function clientCalls({ clients, downloads }: ClientCallsOptions) {
  return {
    async listClients({ caller }) {
      const [all, active] = [await clients.list(), await downloads.countActive()];
      const known = all.filter(({ clientId }) => sees(caller, clientId));
      return json({
        clients: known.map((client) => clientRecord(client, active.get(client.clientId) ?? 0)),
      } satisfies ClientList);
    },

    async revokeClient({ param, note }) {
      note({ clientId: param("client_id") });
      const client = await clients.revoke(param("client_id"));
      const active = await downloads.countActive();
      return json(clientRecord(client, active.get(client.clientId) ?? 0));
    },
  } satisfies Partial<Handlers>;
}
