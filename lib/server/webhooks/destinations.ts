import { lookup } from "node:dns/promises";
import { BlockList, isIP, isIPv6 } from "node:net";
import { isPublic, plainAddress } from "./addresses.ts";

/** An IP address of a host name. */
export interface Address {
  address: string;
  family: number;
}

/**
 * Resolves a host name to its IP addresses.
 * @throws Error if the name has no address
 */
export type Resolve = (hostname: string) => Promise<Address[]>;

/** Thrown for a host name or IP address in a private network. */
export class PrivateAddress extends Error {
  override name = "PrivateAddress";
}

/** Decides where messages may be sent: to public addresses, and to those that `WEBHOOK_ALLOW` names. */
export class Destinations {
  readonly #hosts = new Set<string>();
  readonly #networks = new BlockList();

  /**
   * Creates the rules for destinations.
   * @param allow hosts, IP addresses and networks that are allowed besides public addresses
   */
  constructor(
    allow: readonly string[],
    private readonly resolve: Resolve = (hostname) => lookup(hostname, { all: true }),
  ) {
    for (const entry of allow) {
      const [address = "", prefix] = entry.split("/");
      const family = familyOf(address);
      if (isIP(address) === 0) this.#hosts.add(entry.toLowerCase());
      else if (prefix === undefined) this.#networks.addAddress(address, family);
      else this.#networks.addSubnet(address, Number(prefix), family);
    }
  }

  /**
   * Returns the addresses to which a message for a URL may be sent. Callers must connect only to these, as
   * the name may later resolve to other ones.
   * @throws PrivateAddress if any of the addresses is not allowed
   * @throws Error if the name has no address
   */
  async addressesOf(url: URL): Promise<Address[]> {
    const host = url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
    const isLiteral = isIP(host) !== 0;
    const addresses = isLiteral
      ? [{ address: host, family: isIPv6(host) ? 6 : 4 }]
      : await this.resolve(host);
    if (this.#hosts.has(host)) return addresses;
    const refused = addresses.find(({ address }) => !this.#allows(address));
    if (refused === undefined) return addresses;
    throw new PrivateAddress(
      isLiteral
        ? `${host} is no address of the internet, and WEBHOOK_ALLOW does not name it`
        : `"${host}" leads to ${refused.address}, which is no address of the internet, and WEBHOOK_ALLOW names neither`,
    );
  }

  #allows(address: string): boolean {
    if (isPublic(address)) return true;
    const plain = plainAddress(address);
    return isIP(plain) !== 0 && this.#networks.check(plain, familyOf(plain));
  }
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIPv6(address) ? "ipv6" : "ipv4";
}
