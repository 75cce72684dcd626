import { endpoints } from "../../../api/endpoints.ts";
import { openApiDocument } from "../../../api/openapi.ts";
import { FdsError } from "../../../protocol/errors.ts";
import type { InTurn } from "../../../util/fair-turns.ts";
import type { Clients } from "../../clients/clients.ts";
import type { Downloads } from "../../downloads/downloads.ts";
import { CONTENT_TYPE } from "../../metrics/prometheus.ts";
import type { MakeCall } from "../call.ts";
import { json, jsonText } from "../json.ts";

export interface ServerCallsOptions {
  clients: Pick<Clients, "countConnected">;
  downloads: Pick<Downloads, "countActive">;
  /** Returns the text for `/metrics`. */
  metricsPage: (inTurn: InTurn) => Promise<string>;
  /** Checks that the database and the storage can be reached. @throws FdsError `unavailable` */
  requireDatabaseAndStorage: () => Promise<void>;
  serverId: string;
  version: string;
}

/** Builds the handlers of the REST calls for the server's health, its metrics and the OpenAPI document. */
export function serverCalls(call: MakeCall, options: ServerCallsOptions) {
  const { clients, downloads, metricsPage, requireDatabaseAndStorage, serverId, version } = options;
  // The OpenAPI document is built only once, as anyone may request it often. It is built on the first
  // request, so that the server starts fast.
  let document: Promise<string> | undefined;
  return {
    health: call(endpoints.health, async () => {
      await requireDatabaseAndStorage();
      const active = await downloads.countActive();
      return json({
        status: "healthy" as const,
        server_id: serverId,
        version,
        uptime_seconds: Math.floor(process.uptime()),
        connected_clients: await clients.countConnected(),
        active_downloads: [...active.values()].reduce((sum, count) => sum + count, 0),
      });
    }),

    live: call(endpoints.live, () => json({ status: "live" as const })),

    metrics: call(endpoints.metrics, async (c) => {
      const { caller, answering } = c.var;
      if (caller.sites) {
        throw new FdsError("forbidden", "Use a token that sees all sites, metrics are of all");
      }
      const page = await metricsPage(answering.inTurn);
      return new Response(page, { headers: { "Content-Type": CONTENT_TYPE } });
    }),

    openapi: call(endpoints.openapi, async () => {
      document ??= openApiDocument(version).then((made) => JSON.stringify(made));
      return jsonText(await document);
    }),
  };
}
