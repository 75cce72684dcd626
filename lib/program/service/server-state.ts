import { once } from "node:events";
import { connect } from "node:net";
import { ApiClient } from "../../cli/rest/api-client.ts";
import { readConnection } from "../../cli/rest/connection.ts";
import type { FileSettings } from "../../util/settings-file.ts";

/** The state of an installed server, as the server's API reports it. */
export interface ServerState {
  address: string;
  /**
   * The state that the API reports; null if the API requires a client certificate, which this program does
   * not have.
   */
  api: ApiState | null;
}

export interface ApiState {
  version: string;
  clients: number;
  connected: number;
  /** The latest completed download; null if no download is completed. */
  last_download: {
    client_id: string;
    file_path: string | null;
    completed_at: string | null;
  } | null;
}

/** Asks a server on this machine for its state. @throws Error where the server does not respond */
export async function serverStateOf(
  settings: FileSettings,
  signal: AbortSignal,
): Promise<ServerState> {
  const api = apiOf(settings);
  if (!settings["TLS_CLIENT_CA"])
    return { address: api.server, api: await apiStateOf(api, signal) };
  await expectListening(new URL(api.server), signal);
  return { address: api.server, api: null };
}

/** Connects to a port and disconnects. @throws Error of the system where nothing listens */
async function expectListening({ hostname, port }: URL, signal: AbortSignal): Promise<void> {
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  const socket = connect({ host, port: Number(port || 443) });
  try {
    await once(socket, "connect", { signal });
  } finally {
    socket.on("error", () => undefined).destroy();
  }
}

async function apiStateOf(api: ApiClient, signal: AbortSignal): Promise<ApiState> {
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

/**
 * Returns a link to the dashboard that signs a browser in. The link works once.
 * @throws Error where the server does not respond
 */
export async function dashboardLink(settings: FileSettings, signal: AbortSignal): Promise<string> {
  const api = apiOf(settings);
  const { code } = await api.signInCode(signal);
  return `${api.server}/#code=${code}`;
}

/** Returns an API client for the server on this machine that has these settings. */
function apiOf(settings: FileSettings): ApiClient {
  return new ApiClient(readConnection({}, settings));
}
