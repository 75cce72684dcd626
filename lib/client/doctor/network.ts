import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { Check, Finding } from "../../util/checkup.ts";
import { systemCode } from "../../util/system-error.ts";
import type { ClientConfig } from "../config.ts";
import { TlsFiles } from "../tls-files.ts";
import { openTcp, openTunnel, type HostPort, hostPortOf } from "./way.ts";

type ConnectionConfig = Pick<ClientConfig, "serverUrl" | "proxy" | "tls">;

/**
 * Returns the doctor's checks of the network path to the server: name resolution, TCP connection, and proxy.
 */
export function networkChecks({ serverUrl, proxy, tls }: ConnectionConfig): Check[] {
  const server = hostPortOf(serverUrl);
  const proxyUrl = proxy === null ? null : new URL(proxy);
  const firstHop = proxyUrl === null ? server : hostPortOf(proxyUrl);
  const setting = proxyUrl === null ? "SERVER_URL" : "HTTPS_PROXY or HTTP_PROXY";
  return [
    { name: "name lookup", run: () => checkName(firstHop.host, setting) },
    {
      name: "connection",
      needs: ["name lookup"],
      run: (signal) => checkConnection(firstHop, setting, signal),
    },
    {
      name: "proxy",
      needs: ["connection"],
      run: (signal) =>
        proxyUrl === null
          ? { status: "not_needed", text: "none is set" }
          : checkProxy(proxyUrl, { server, tls }, signal),
    },
  ];
}

async function checkName(host: string, setting: string): Promise<Finding> {
  if (isIP(host)) return { status: "not_needed", text: `${host} is an address` };
  try {
    const found = await lookup(host, { all: true });
    const addresses = found.map(({ address }) => address).slice(0, 4);
    return { status: "ok", text: `"${host}" is ${addresses.join(", ")}` };
  } catch (error) {
    return {
      status: "wrong",
      text: `nobody knows the name "${host}" (${codeOf(error)})`,
      advice: `check how it is spelled in ${setting}, and that this machine has a network and a name server`,
    };
  }
}

async function checkConnection(
  target: HostPort,
  setting: string,
  signal: AbortSignal,
): Promise<Finding> {
  const name = `${target.host}, port ${target.port}`;
  try {
    const socket = await openTcp(target, signal);
    const from = socket.localAddress;
    socket.destroy();
    return { status: "ok", text: `to ${name}${from === undefined ? "" : `, from ${from}`}` };
  } catch (error) {
    if (signal.aborted) {
      return {
        status: "wrong",
        text: `nothing answers at ${name}`,
        advice: `ask whoever runs the network here to let this machine out to TCP port ${target.port} of ${target.host}`,
      };
    }
    const code = codeOf(error);
    const refused = code === "ECONNREFUSED";
    return {
      status: "wrong",
      text: refused ? `nobody listens at ${name}` : `no way to ${name} (${code})`,
      advice: refused
        ? `check the port in ${setting}, and that the server runs`
        : "check that this machine is on the network",
    };
  }
}

/** Advice for people if a proxy refuses the tunnel. The key is the HTTP status of the proxy's answer. */
const PROXY_ADVICE: Record<string, string> = {
  "407":
    "it wants a user and a password: put them into its URL, http://USER:PASSWORD@HOST:PORT, or ask for an exception for the server",
  "403": "ask whoever runs the proxy to let this machine through to the server",
};

async function checkProxy(
  proxy: URL,
  { server, tls }: { server: HostPort; tls: ClientConfig["tls"] },
  signal: AbortSignal,
): Promise<Finding> {
  const name = `"${proxy.host}"`;
  const pems = await TlsFiles.readOnce(tls);
  const { socket, answer, isOpen } = await openTunnel(proxy, server, pems, signal);
  socket.destroy();
  const said = answer === "" ? "said nothing" : `answered "${answer}"`;
  if (isOpen) return { status: "ok", text: `${name} lets through to ${server.host}: ${answer}` };
  const [, status = ""] = /^HTTP\/1\.[01] (\d{3})\b/.exec(answer) ?? [];
  const isProxy = status !== "";
  return {
    status: "wrong",
    text: `${name} ${said}`,
    advice:
      PROXY_ADVICE[status] ??
      (isProxy
        ? `the proxy is there, but has no way to ${server.host}: check SERVER_URL, or ask whoever runs the proxy`
        : "it is no HTTP proxy: check HTTPS_PROXY and HTTP_PROXY"),
  };
}

/** Returns an error's system error code, such as ENOTFOUND; the error as text if it has no code. */
function codeOf(error: unknown): string {
  return systemCode(error) ?? String(error);
}
