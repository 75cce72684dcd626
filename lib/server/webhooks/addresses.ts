import { BlockList, isIPv4, isIPv6 } from "node:net";

/*
 * Decides which IP addresses are public. All others belong to this machine, to private networks or to nobody.
 * The lists follow IANA's registries of special-purpose addresses for IPv4 and IPv6.
 */

const NOT_PUBLIC_IPV4 = blockList("ipv4", [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/3",
]);

/** The network that contains all public IPv6 addresses. */
const GLOBAL_IPV6 = blockList("ipv6", ["2000::/3"]);

/**
 * Networks within 2000::/3 that are not public: special purposes (such as Teredo), documentation, and 6to4,
 * which embeds an IPv4 address.
 */
const NOT_PUBLIC_IPV6 = blockList("ipv6", ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"]);

/**
 * Matches IPv6 addresses that embed an IPv4 address: IPv4-mapped ones (`::ffff:0:0/96`), and those of NAT64.
 */
const EMBEDDED_IPV4 = /^(?:0:0:0:0:0:ffff|64:ff9b:0:0:0:0):([\da-f]+):([\da-f]+)$/;

/** Reports whether an address is public, so that any machine on the internet can reach it. */
export function isPublic(address: string): boolean {
  const plain = plainAddress(address);
  if (isIPv4(plain)) return !NOT_PUBLIC_IPV4.check(plain, "ipv4");
  return isIPv6(plain) && GLOBAL_IPV6.check(plain, "ipv6") && !NOT_PUBLIC_IPV6.check(plain, "ipv6");
}

/**
 * Returns the IPv4 address that an IPv6 address embeds, or else the address itself: `::ffff:7f00:1` becomes
 * `127.0.0.1`.
 */
export function plainAddress(address: string): string {
  if (!isIPv6(address)) return address;
  const [, high = "", low = ""] = EMBEDDED_IPV4.exec(groupsOf(address).join(":")) ?? [];
  if (high === "") return address;
  const bytes = [high, low].flatMap((group) => {
    const number = Number.parseInt(group, 16);
    return [number >> 8, number & 255];
  });
  return bytes.join(".");
}

/** Returns the eight groups of an IPv6 address, without leading zeros. */
function groupsOf(address: string): string[] {
  // The URL parser turns a trailing IPv4 address into two groups of hex digits.
  const whole = new URL(`http://[${address.replace(/%.*/, "")}]`).hostname.slice(1, -1);
  const [before = [], after] = whole.split("::").map((part) => part.split(":").filter(Boolean));
  if (!after) return before;
  const missing = Array<string>(8 - before.length - after.length).fill("0");
  return [...before, ...missing, ...after];
}

function blockList(family: "ipv4" | "ipv6", networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", prefix] = network.split("/");
    list.addSubnet(address, Number(prefix), family);
  }
  return list;
}
