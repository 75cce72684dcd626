import { BlockList, isIP, isIPv6 } from "node:net";

/** The reverse proxies that are trusted to say where a request came from. */
export class TrustedProxies {
  readonly #proxies = new BlockList();

  /** @param list addresses and networks (`10.0.0.0/8`), in the form that {@link isNetwork} accepts */
  constructor(list: readonly string[]) {
    for (const network of list) {
      const [address = "", prefix] = network.split("/");
      const family = familyOf(address);
      if (prefix === undefined) this.#proxies.addAddress(address, family);
      else this.#proxies.addSubnet(address, Number(prefix), family);
    }
  }

  /**
   * Returns the address that a request came from. Each proxy appends the address of its peer to
   * X-Forwarded-For, so the header is read from its end, up to the first address that is no trusted proxy.
   * The rest could be forged.
   * @param peer address of the other end of the connection
   */
  addressOf(peer: string, request: Request): string {
    const header = request.headers.get("X-Forwarded-For") ?? "";
    // Empty elements are ignored (RFC 9110, 5.6.1.2).
    const forwarded = header.split(",").filter((element) => element.trim() !== "");
    let address = unmapIPv4(peer);
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

/** Reports whether a text is an address or a network, such as `10.0.0.1`, `10.0.0.0/8` or `fd00::/8`. */
export function isNetwork(text: string): boolean {
  const [address = "", prefix, ...rest] = text.split("/");
  const bits = isIPv6(address) ? 128 : 32;
  const isPrefix = prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits);
  return isIP(address) !== 0 && isPrefix && rest.length === 0;
}

/**
 * Returns the key under which requests from an address are counted. An IPv6 address counts as its /64
 * network, as one machine can use all addresses of that network.
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

/** Reads the address in an element of X-Forwarded-For, without a port or brackets; null: there is none. */
function addressIn(element: string): string | null {
  const [, ipv4, bracketed, ipv6] =
    /^(?:([\d.]+)(?::\d{1,5})?|\[([\da-f:.]+)\](?::\d{1,5})?|([\da-f:.]+))$/i.exec(
      element.trim(),
    ) ?? [];
  const address = unmapIPv4(ipv4 ?? bracketed ?? ipv6 ?? "");
  return isIP(address) === 0 ? null : address;
}

/** Converts an IPv4 address written as IPv6, such as `::ffff:10.0.0.1`, to its IPv4 form. */
function unmapIPv4(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, "");
}
