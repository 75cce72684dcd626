import { UsageError } from "../util/flags.ts";
import { leadsHere } from "../util/loopback.ts";
import type { Environment } from "../util/settings.ts";

const DEFAULT_PORTS: Record<string, string> = { "ws:": "80", "wss:": "443" };

/**
 * The proxy on the way to a server, by the variables that most programs know: `HTTPS_PROXY` for
 * wss, `HTTP_PROXY` for ws, unless `NO_PROXY` names the server. Lower case is understood too. A
 * server on this machine is reached without one: the proxy would see the key, and take it to another machine.
 * @param server a ws or wss URL
 * @returns the proxy's URL, or null to go straight
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

/** A name in the list also stands for everything below it, with a dot in front or without. */
function isExempt(server: URL, list: string): boolean {
  const port = server.port || DEFAULT_PORTS[server.protocol];
  const { hostname } = server;
  // The host of an IPv6 URL is in brackets, which a list may leave out.
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
