import { lookup } from "node:dns/promises";
import { BlockList, isIP, isIPv6 } from "node:net";
import { isPublic, plainAddress } from "./addresses.ts";

/** An address of a name. */
export interface Address {
  address: string;
  family: number;
}

/** Finds the addresses of a name. @throws Error when it has none */
export type Resolve = (hostname: string) => Promise<Address[]>;

/** A name or address that leads to a private network. */
export class PrivateAddress extends Error {
  override name = "PrivateAddress";
}

/** Where messages may go: to public addresses, and to what `WEBHOOK_ALLOW` names. */
export class Destinations {
  readonly #hosts = new Set<string>();
  readonly #networks = new BlockList();

  /** @param allow hosts, addresses and networks, besides public addresses */
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
   * The addresses to which a message for a URL may go. Connect to exactly these, as resolving the name
   * again may give others.
   * @throws PrivateAddress where one of them is not allowed
   * @throws Error when the name has none
   */
  async of(url: URL): Promise<Address[]> {
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
