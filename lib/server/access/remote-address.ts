import { BlockList, isIP, isIPv6 } from "node:net";

/** Reverse proxies that are trusted to state where a request came from. */
export class TrustedProxies {
  readonly #proxies = new BlockList();

  /** @param list addresses and networks (`10.0.0.0/8`), as {@link isNetwork} knows them */
  constructor(list: readonly string[]) {
    for (const network of list) {
      const [address = "", prefix] = network.split("/");
      const family = familyOf(address);
      if (prefix === undefined) this.#proxies.addAddress(address, family);
      else this.#proxies.addSubnet(address, Number(prefix), family);
    }
  }

  /**
   * The address where a request came from. Each proxy appends the address that it saw to X-Forwarded-For.
   * So the header is read from its end, as long as the proxies that wrote it are trusted; anybody may have
   * made up the rest.
   * @param peer address of the other end of the connection
   */
  addressOf(peer: string, request: Request): string {
    const header = request.headers.get("X-Forwarded-For") ?? "";
    // Empty elements are ignored (RFC 9110, 5.6.1.2).
    const forwarded = header.split(",").filter((element) => element.trim() !== "");
    let address = plain(peer);
    while (this.#isTrusted(address)) {
      const before = addressIn(forwarded.pop() ?? "");
      if (before === null) break;
      address = before;
    }
    return address;
  }

  #isTrusted(address: string): boolean {
    return isIP(address) !== 0 && this.#proxies.check(address, familyOf(address));
  }
}

/** Whether a text is an address or a network: `10.0.0.1`, `10.0.0.0/8`, `fd00::/8`. */
export function isNetwork(text: string): boolean {
  const [address = "", prefix, ...rest] = text.split("/");
  const bits = isIPv6(address) ? 128 : 32;
  const isPrefix = prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits);
  return isIP(address) !== 0 && isPrefix && rest.length === 0;
}

/**
 * The key under which an address is counted. One of IPv6 counts as its /64 network, as its owner has all
 * 2^64 addresses of it.
 */
export function networkOf(address: string): string {
  if (!isIPv6(address) || address.includes(".")) return address;
  const [before = "", after] = address.split("::").map((part) => part.split(":").filter(Boolean));
  const missing = after === undefined ? 0 : 8 - before.length - after.length;
  return [...before, ...Array<string>(missing).fill("0"), ...(after ?? [])].slice(0, 4).join(":");
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIPv6(address) ? "ipv6" : "ipv4";
}

/** The address in an element of X-Forwarded-For. Some proxies add a port or brackets. */
function addressIn(element: string): string | null {
  const [, ipv4, bracketed, ipv6] =
    /^(?:([\d.]+)(?::\d{1,5})?|\[([\da-f:.]+)\](?::\d{1,5})?|([\da-f:.]+))$/i.exec(
      element.trim(),
    ) ?? [];
  const address = plain(ipv4 ?? bracketed ?? ipv6 ?? "");
  return isIP(address) === 0 ? null : address;
}

/** An IPv4 address that is written as an IPv6 one, in its own form. */
function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, "");
}
