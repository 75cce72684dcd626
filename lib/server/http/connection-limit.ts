import { networkOf } from "../access/remote-address.ts";

/** Limits the number of WebSockets from each address. IPv6 addresses are counted by their /64 network. */
export class ConnectionLimit {
  readonly #open = new Map<string, number>();

  constructor(private readonly maxPerAddress: number) {}

  /** Counts a new WebSocket of an address. @returns false if the address has too many WebSockets already */
  take(address: string): boolean {
    const network = networkOf(address);
    const open = this.#open.get(network) ?? 0;
    if (open >= this.maxPerAddress) return false;
    this.#open.set(network, open + 1);
    return true;
  }

  /** Counts a closed WebSocket of an address. */
  release(address: string): void {
    const network = networkOf(address);
    const open = (this.#open.get(network) ?? 0) - 1;
    if (open > 0) this.#open.set(network, open);
    else this.#open.delete(network);
  }
}
