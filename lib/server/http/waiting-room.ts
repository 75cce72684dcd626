import { networkOf } from "../access/remote-address.ts";

/** A connection that has not said yet who it is. */
export interface Guest {
  /** Nothing is read of it from now on: what it sends waits in the kernel, 128 KiB at most. */
  pause(): void;
  /** It is read again. */
  resume(): void;
}

export interface WaitingRoomOptions<G> {
  /** Most guests of one address. */
  perAddress: number;
  /** Most guests in all. */
  inAll: number;
  /** Most guests that are read at once: each can hold a message of the largest size in memory. */
  readAtOnce: number;
  /** Ends a connection that said nothing in its turn, or that has to make room for another. */
  turnAway: (guest: G) => void;
}

/** A guest that is read has this long, in ms, where others wait for their turn. */
export const TURN_MS = 2_000;

/** The guests of one address. */
interface Group<G> {
  size: number;
  /** Those that wait for their turn to be read, the first that came first. */
  line: Set<G>;
}

/**
 * Where connections wait until they have registered. Anyone can open them, so they hold next to
 * nothing: only a few are read at once, those of each address in turn, the latest first. Whoever has one address
 * cannot keep out those of another.
 */
export class WaitingRoom<G extends Guest> {
  /** By address; the one whose turn was the longest ago first. */
  readonly #groups = new Map<string, Group<G>>();
  /** Guests whose connections are read now, with when that began (`performance.now`); the longest first. */
  readonly #read = new Map<G, number>();
  readonly #networkOfGuest = new Map<G, string>();
  #size = 0;
  #timer: Timer | undefined;

  constructor(private readonly options: WaitingRoomOptions<G>) {}

  /** How many places are taken. */
  get size(): number {
    return this.#size;
  }

  /** Takes a place for a guest of an address. @returns false if there is none */
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

  /** A place that was taken is not used. */
  giveBack(address: string): void {
    this.#free(networkOf(address));
  }

  /** Lets a guest in that has a place. Its connection is read when its turn comes. */
  enter(guest: G, address: string): void {
    guest.pause();
    const network = networkOf(address);
    this.#networkOfGuest.set(guest, network);
    this.#groups.get(network)?.line.add(guest);
    this.#giveTurns();
  }

  /** A guest said something: it is read no further until it leaves. */
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

  /** The address that has the most gives up a place, to one that has fewer. */
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
      // Behind all others, for its next turn.
      this.#groups.delete(network);
      this.#groups.set(network, group);
      this.#read.set(guest, performance.now());
      guest.resume();
    }
  }

  /** The latest that came: who means it has something to say soon, and those before had their time. */
  #next(): [network: string, group: Group<G>, guest: G] | undefined {
    for (const [network, group] of this.#groups) {
      const guest = [...group.line].at(-1);
      if (guest) return [network, group, guest];
    }
    return undefined;
  }

  /** @returns false if nobody's turn is over yet: then it is looked at again */
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
