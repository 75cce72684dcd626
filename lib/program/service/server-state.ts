import { once } from "node:events";
import { connect } from "node:net";
import { ApiClient } from "../../cli/rest/api-client.ts";
import { readConnection } from "../../cli/rest/connection.ts";
import type { FileSettings } from "../../util/settings-file.ts";

/** The state of an installed server, from its own API. */
export interface ServerState {
  address: string;
  /** Null: it answers only callers who show a certificate, and this program has none. */
  api: ApiState | null;
}

export interface ApiState {
  version: string;
  clients: number;
  connected: number;
  /** Null: no download is completed. */
  last_download: {
    client_id: string;
    file_path: string | null;
    completed_at: string | null;
  } | null;
}

/** @throws Error where the server does not answer */
export async function serverStateOf(
  settings: FileSettings,
  signal: AbortSignal,
): Promise<ServerState> {
  const api = apiOf(settings);
  if (!settings["TLS_CLIENT_CA"]) return { address: api.server, api: await stateOf(api, signal) };
  await expectListening(new URL(api.server), signal);
  return { address: api.server, api: null };
}

/** @throws Error of the system where nothing listens */
async function expectListening({ hostname, port }: URL, signal: AbortSignal): Promise<void> {
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  const socket = connect({ host, port: Number(port || 443) });
  try {
    await once(socket, "connect", { signal });
  } finally {
    socket.on("error", () => undefined).destroy();
  }
}

async function stateOf(api: ApiClient, signal: AbortSignal): Promise<ApiState> {
  const { version } = await api.health(signal);
  const clients = await api.clients(signal);
  const { downloads } = await api.downloads({ status: "completed", limit: "1" }, signal);
  const [last] = downloads;
  return {
    version,
    clients: clients.length,
    connected: clients.filter(({ connected }) => connected).length,
    last_download: last
      ? {
          client_id: last.client_id,
          file_path: last.file_path,
          completed_at: last.completed_at,
        }
      : null,
  };
}

/** A link to the dashboard that signs a browser in once. @throws Error as above */
export async function dashboardLink(settings: FileSettings, signal: AbortSignal): Promise<string> {
  const api = apiOf(settings);
  const { code } = await api.signInCode(signal);
  return `${api.server}/#code=${code}`;
}

/** Calls the server that has these settings, on this machine. */
function apiOf(settings: FileSettings): ApiClient {
  return new ApiClient(readConnection({}, settings));
}
