import { isIPv6 } from "node:net";

/** Sign-ins that may fail in a row before an address has to wait. */
const FAILURES = 10;
/** One more may fail after this time, in ms. */
const FORGET_MS = 30_000;
/** Addresses that are remembered; the one that tried the longest ago gives way. */
const MAX_ADDRESSES = 10_000;

/** Slows whoever guesses: an address that failed too often waits before it is listened to again. */
export class SignInLimit {
  /** Address → when all its failures are forgotten, ms since 1970; in the order of the last try. */
  readonly #forgottenAt = new Map<string, number>();

  /** @param now ms since 1970 */
  constructor(private readonly now: () => number = Date.now) {}

  /**
   * Counts a try as failed, before it is known: many at once are as many.
   * @returns how long the address has to wait first, in ms; 0: it may go on
   */
  begin(address: string): number {
    const network = networkOf(address);
    const failing = Math.max(0, (this.#forgottenAt.get(network) ?? 0) - this.now());
    const wait = failing - (FAILURES - 1) * FORGET_MS;
    if (wait > 0) return wait;
    this.#set(network, this.now() + failing + FORGET_MS);
    return 0;
  }

  /** The try that was begun did not fail. */
  succeeded(address: string): void {
    const network = networkOf(address);
    this.#set(network, (this.#forgottenAt.get(network) ?? 0) - FORGET_MS);
  }

  #set(network: string, forgottenAt: number): void {
    this.#forgottenAt.delete(network);
    if (forgottenAt <= this.now()) return;
    const [oldest] = this.#forgottenAt.keys();
    if (this.#forgottenAt.size >= MAX_ADDRESSES && oldest !== undefined) {
      this.#forgottenAt.delete(oldest);
    }
    this.#forgottenAt.set(network, forgottenAt);
  }
}

/** Whoever has one IPv6 address has all 2^64 of its network. */
function networkOf(address: string): string {
  if (!isIPv6(address) || address.includes(".")) return address;
  const [before = "", after] = address.split("::").map((part) => part.split(":").filter(Boolean));
  const missing = after === undefined ? 0 : 8 - before.length - after.length;
  return [...before, ...Array<string>(missing).fill("0"), ...(after ?? [])].slice(0, 4).join(":");
}
