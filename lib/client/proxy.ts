import { UsageError } from "../util/flags.ts";
import { leadsHere } from "../util/loopback.ts";
import type { Environment } from "../util/settings.ts";

const DEFAULT_PORTS: Record<string, string> = { "ws:": "80", "wss:": "443" };

/**
 * The proxy for connections to a server, from the usual variables: `HTTPS_PROXY` for wss, `HTTP_PROXY` for
 * ws, unless `NO_PROXY` names the server. Lower case works too. A server on this machine is reached without
 * a proxy, which would otherwise see the key and send it to another machine.
 * @param server a ws or wss URL
 * @returns the proxy's URL, or null for a direct connection
 * @throws UsageError that names the variable; its value may hold a password and is not repeated
 */
export function proxyFor(server: URL, env: Environment): string | null {
  if (leadsHere(server.hostname)) return null;
  const name = server.protocol === "wss:" ? "HTTPS_PROXY" : "HTTP_PROXY";
  const source = env[name] ? name : name.toLowerCase();
  const text = env[source];
  if (!text || isExempt(server, env["NO_PROXY"] || env["no_proxy"] || "")) return null;
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  if (url && (url.protocol === "http:" || url.protocol === "https:")) return url.href;
  throw new UsageError(`${source} has a wrong value, expected a URL such as "http://proxy:3128"`);
}

/**
 * Whether `NO_PROXY` names the server. A name in the list also covers all names below it, with or without a
 * leading dot.
 */
function isExempt(server: URL, list: string): boolean {
  const port = server.port || DEFAULT_PORTS[server.protocol];
  const { hostname } = server;
  // The host of an IPv6 URL has brackets, which the list may leave out.
  const names = [hostname, `${hostname}:${port}`, hostname.replace(/^\[(.*)\]$/, "$1")];
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .some((entry) => {
      const suffix = entry.replace(/^\*?\./, "");
      if (suffix === "") return false;
      return suffix === "*" || names.some((name) => name === suffix || name.endsWith(`.${suffix}`));
    });
}
