import { openApiDocument } from "../../api/openapi.ts";
import type { Health } from "../../api/schemas.ts";
import { FdsError } from "../../protocol/errors.ts";
import type { InTurn } from "../../util/fair-turns.ts";
import type { EventFeeds } from "../events/event-feeds.ts";
import { CONTENT_TYPE } from "../metrics/prometheus.ts";
import { adminCalls, type AdminCallsOptions } from "./calls/admin.ts";
import { clientCalls } from "./calls/clients.ts";
import { downloadCalls, type DownloadCallsOptions } from "./calls/downloads.ts";
import { sessionCalls } from "./calls/sessions.ts";
import type { Browsing } from "../clients/browsing.ts";
import type { Clients } from "../clients/clients.ts";
import { json, jsonText } from "./json.ts";
import type { Handlers } from "./routing.ts";
import type { SignIn } from "./sign-in.ts";

export interface RestOptions extends DownloadCallsOptions, AdminCallsOptions {
  clients: Clients;
  browsing: Browsing;
  events: EventFeeds;
  /** What `/metrics` answers. */
  metricsPage: (inTurn: InTurn) => Promise<string>;
  /** null where there is no token to sign in with. */
  signIn: SignIn | null;
  version: string;
}

/** What each call of the REST interface does, by the endpoint's name. */
export function restHandlers(options: RestOptions): Handlers {
  const { clients, downloads, events, version } = options;
  // Once: it takes milliseconds to make, and whoever asks for it needs no token.
  const document = JSON.stringify(openApiDocument(version));
  return {
    ...downloadCalls(options),
    ...clientCalls(options),
    ...sessionCalls(options.signIn),
    ...adminCalls(options),

    events: ({ request, caller }) => events.all(caller, request),

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

    async metrics({ caller, inTurn }) {
      if (caller.sites) {
        throw new FdsError("forbidden", "Use a token that sees all sites, metrics are of all");
      }
      const page = await options.metricsPage(inTurn);
      return new Response(page, { headers: { "Content-Type": CONTENT_TYPE } });
    },

    openapi: () => jsonText(document),
  };
}
