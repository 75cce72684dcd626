import { UsageError } from "../util/flags.ts";
import { leadsHere } from "../util/loopback.ts";
import type { Environment } from "../util/settings.ts";

const DEFAULT_PORTS: Record<string, string> = { "ws:": "80", "wss:": "443" };

/**
 * Chooses the proxy for connections to a server: `HTTPS_PROXY` for wss, `HTTP_PROXY` for ws, unless
 * `NO_PROXY` names the server. Lower-case variables work too. No proxy is used for a server on this machine,
 * because that connection may be without TLS, and then a proxy could read the client's key.
 * @param server a ws or wss URL
 * @returns the proxy's URL; null for a direct connection
 * @throws UsageError if the variable contains no http or https URL. The message does not quote the value,
 *   because it may contain a password.
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
 * Reports whether the `NO_PROXY` list names the server. An entry, with or without a leading dot, also covers
 * all subdomains.
 */
function isExempt(server: URL, list: string): boolean {
  const port = server.port || DEFAULT_PORTS[server.protocol];
  const { hostname } = server;
  // The hostname of an IPv6 URL has brackets, which entries of the list may omit.
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
