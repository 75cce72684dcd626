import { networkOf } from "../access/remote-address.ts";

/** A connection that has not registered yet. */
export interface Guest {
  /** Stops reading from it. What it sends then waits in the kernel, 128 KiB at most. */
  pause(): void;
  /** Reads from it again. */
  resume(): void;
}

export interface WaitingRoomOptions<G> {
  /** Most guests from one address. */
  perAddress: number;
  /** Most guests in all. */
  inAll: number;
  /**
   * Most guests that are read at the same time, as each may have a message of the largest size in memory.
   */
  readAtOnce: number;
  /** Ends a connection that sent nothing in its turn, or that has to make room for another. */
  turnAway: (guest: G) => void;
}

/** How long a guest is read, in ms, while others wait for their turn. */
export const TURN_MS = 2_000;

/** The guests from one address. */
interface Group<G> {
  size: number;
  /** Those that wait for their turn, in the order of arrival. */
  line: Set<G>;
}

/**
 * Holds connections until they have registered. Anybody can open them, so they may use very little: only a
 * few are read at the same time, taking turns by address, the latest of each first. So nobody can keep out
 * other addresses.
 */
export class WaitingRoom<G extends Guest> {
  /** By address, in the order of their last turns. */
  readonly #groups = new Map<string, Group<G>>();
  /** Guests that are being read, with the start of their turn (`performance.now`), longest first. */
  readonly #read = new Map<G, number>();
  readonly #networkOfGuest = new Map<G, string>();
  #size = 0;
  #timer: Timer | undefined;

  constructor(private readonly options: WaitingRoomOptions<G>) {}

  /** Number of places in use. */
  get size(): number {
    return this.#size;
  }

  /** Takes a place for a guest from an address. @returns false if there is none */
  take(address: string): boolean {
    const network = networkOf(address);
    const group: Group<G> = this.#groups.get(network) ?? { size: 0, line: new Set() };
    if (group.size >= this.options.perAddress) return false;
    if (this.#size >= this.options.inAll && !this.#makeRoomFor(group)) return false;
    group.size++;
    this.#size++;
    this.#groups.set(network, group);
    return true;
  }

  /** Gives back an unused place. */
  giveBack(address: string): void {
    this.#free(networkOf(address));
  }

  /** Lets a guest in that has a place. It is read when its turn comes. */
  enter(guest: G, address: string): void {
    guest.pause();
    const network = networkOf(address);
    this.#networkOfGuest.set(guest, network);
    this.#groups.get(network)?.line.add(guest);
    this.#giveTurns();
  }

  /** A guest has sent something. It is not read again until it leaves. */
  heard(guest: G): void {
    if (!this.#read.delete(guest)) return;
    guest.pause();
    this.#giveTurns();
  }

  /** A guest has registered, or is gone. */
  leave(guest: G): void {
    if (this.#remove(guest)) this.#giveTurns();
  }

  /** @returns false if it is gone already */
  #remove(guest: G): boolean {
    const network = this.#networkOfGuest.get(guest);
    if (network === undefined) return false;
    this.#networkOfGuest.delete(guest);
    this.#read.delete(guest);
    this.#groups.get(network)?.line.delete(guest);
    this.#free(network);
    return true;
  }

  #free(network: string): void {
    const group = this.#groups.get(network);
    if (!group) return;
    this.#size--;
    if (--group.size === 0) this.#groups.delete(network);
  }

  /** Takes a place from the address with the most guests, for one with fewer. */
  #makeRoomFor({ size }: Group<G>): boolean {
    const groups = [...this.#groups.values()];
    const largest = groups.reduce((most, group) => (group.size > most.size ? group : most));
    if (largest.size <= size + 1) return false;
    const [first] = largest.line;
    if (first === undefined) return false;
    this.#turnAway(first);
    return true;
  }

  #giveTurns(): void {
    for (let next = this.#next(); next; next = this.#next()) {
      if (this.#read.size >= this.options.readAtOnce && !this.#endLongestTurn()) return;
      const [network, group, guest] = next;
      group.line.delete(guest);
      // Moved to the end, for its next turn.
      this.#groups.delete(network);
      this.#groups.set(network, group);
      this.#read.set(guest, performance.now());
      guest.resume();
    }
  }

  /**
   * The latest guest of the next address: one that means to register sends something soon, and earlier ones
   * had their time.
   */
  #next(): [network: string, group: Group<G>, guest: G] | undefined {
    for (const [network, group] of this.#groups) {
      const guest = [...group.line].at(-1);
      if (guest) return [network, group, guest];
    }
    return undefined;
  }

  /**
   * Turns away the guest that has been read for longest.
   * @returns false if its turn is not over yet; then it is checked again later
   */
  #endLongestTurn(): boolean {
    const [longest] = this.#read;
    const left = longest ? longest[1] + TURN_MS - performance.now() : 0;
    if (longest && left <= 0) {
      this.#turnAway(longest[0]);
      return true;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#giveTurns(), left);
    return false;
  }

  #turnAway(guest: G): void {
    this.#remove(guest);
    this.options.turnAway(guest);
  }
}
