import { isIPv4 } from "node:net";

/**
 * Reports whether a host is this machine for certain, so that data sent to the host never leaves the machine.
 * @param host a name or an IP address; an IPv6 address may be in brackets, as in URLs
 */
export function isLoopback(host: string): boolean {
  if (isIPv4(host)) return host.startsWith("127.");
  return ["localhost", "::1", "[::1]"].includes(host.toLowerCase());
}

/**
 * Reports whether a URL's host is meant to be this machine, so that requests to it need no proxy. Names such
 * as `a.localhost` count as this machine (RFC 6761, 6.3), but not in {@link isLoopback}. Some resolvers give
 * such names the address of another machine, so the result must not decide on trust.
 * @param hostname a host as in `URL.hostname`
 */
export function leadsHere(hostname: string): boolean {
  const host = hostname.toLowerCase().replace(/\.$/, "");
  // `[::ffff:7f00:1]` is 127.0.0.1 as an IPv4-mapped IPv6 address.
  const isMapped = /^\[::ffff:7f[0-9a-f]{2}:/.test(host);
  return isLoopback(host) || isMapped || host.endsWith(".localhost") || isUnspecified(host);
}

/** Reports whether a host is the unspecified address. Connections to that address reach this machine. */
function isUnspecified(host: string): boolean {
  return host === "0.0.0.0" || host === "[::]";
}
