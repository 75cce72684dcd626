import { isIPv4 } from "node:net";

/**
 * True if a host is this machine: what is sent to it meets no network.
 * @param host a name or an address, one of IPv6 also in brackets as URLs have it
 */
export function isLoopback(host: string): boolean {
  if (isIPv4(host)) return host.startsWith("127.");
  return ["localhost", "::1", "[::1]"].includes(host.toLowerCase());
}

/**
 * True if a URL leads to this machine: no proxy is used for it. Wider than {@link isLoopback}: names below
 * `localhost` stand for this machine (RFC 6761, 6.3), but not every resolver knows that, so they are
 * not safe to trust.
 * @param hostname as `URL.hostname` has it
 */
export function leadsHere(hostname: string): boolean {
  const host = hostname.toLowerCase().replace(/\.$/, "");
  // `[::ffff:7f00:1]` is 127.0.0.1.
  const isMapped = /^\[::ffff:7f[0-9a-f]{2}:/.test(host);
  return isLoopback(host) || isMapped || host.endsWith(".localhost") || isUnspecified(host);
}

/** The unspecified address: connecting to it reaches this machine. */
function isUnspecified(host: string): boolean {
  return host === "0.0.0.0" || host === "[::]";
}
