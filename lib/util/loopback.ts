import { isIPv4 } from "node:net";

/**
 * Whether a host is this machine, so that what is sent to it meets no network.
 * @param host a name or an address, one of IPv6 also in brackets as URLs have it
 */
export function isLoopback(host: string): boolean {
  if (isIPv4(host)) return host.startsWith("127.");
  return ["localhost", "::1", "[::1]"].includes(host.toLowerCase());
}
