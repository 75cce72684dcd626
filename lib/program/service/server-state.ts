import { ApiClient } from "../../cli/rest/api-client.ts";
import { readConnection } from "../../cli/rest/connection.ts";
import { isLoopback } from "../../util/loopback.ts";
import type { FileSettings } from "../../util/settings-file.ts";

/** The state of an installed server, from its own API. */
export interface ServerState {
  address: string;
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
  const { version } = await api.health(signal);
  const clients = await api.clients(signal);
  const { downloads } = await api.downloads({ status: "completed", limit: "1" }, signal);
  const [last] = downloads;
  return {
    address: api.server,
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

/** The API of the installed server, from its settings. */
function apiOf(settings: FileSettings): ApiClient {
  const { SERVER_HOST: host = "", TLS_CERT: cert = "" } = settings;
  const port = settings["SERVER_PORT"] || "8080";
  const isEverywhere = ["", "0.0.0.0", "::", "localhost"].includes(host) || isLoopback(host);
  const name = isEverywhere ? "localhost" : host.includes(":") ? `[${host}]` : host;
  const scheme = cert === "" ? "http" : "https";
  // The server's own certificate is the one to trust.
  const tls: FileSettings = cert === "" ? {} : { TLS_CA: cert };
  const env = { ...tls, SERVER_URL: `${scheme}://${name}:${port}` };
  return new ApiClient(readConnection({}, { ...env, API_TOKEN: settings["API_TOKEN"] }));
}
