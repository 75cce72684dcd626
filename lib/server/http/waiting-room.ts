import { networkOf } from "../access/remote-address.ts";

/** A connection that has not registered yet. */
export interface Guest {
  /** Stops reading from the connection. Bytes that arrive later stay in the kernel, at most 128 KiB. */
  pause(): void;
  /** Reads from the connection again. */
  resume(): void;
}

export interface WaitingRoomOptions<G> {
  /** Limit on the unregistered connections from one address. */
  perAddress: number;
  /** Limit on the unregistered connections from all addresses. */
  total: number;
  /**
   * Limit on the connections that are read at the same time. Each may have a message of the largest size in
   * memory.
   */
  readAtOnce: number;
  /** Ends a connection that sent nothing while it was read, or that must make room for another one. */
  turnAway: (guest: G) => void;
}

/** How long an unregistered connection is read, in ms, while others wait for their turn. */
export const TURN_MS = 2_000;

/** The unregistered connections from one address. */
interface Group<G> {
  size: number;
  /** Connections that wait for their turn to be read, in the order of arrival. */
  line: Set<G>;
}

/**
 * Holds connections until they have registered. As anybody can open a connection, only a few are read at the
 * same time. Addresses take turns, and the latest connection of each is read first. So one address cannot
 * keep out the others.
 */
export class WaitingRoom<G extends Guest> {
  /**
   * The connections of each address. The key is what {@link networkOf} returns for the address. An address
   * moves to the end of the map when one of its connections is read.
   */
  readonly #groups = new Map<string, Group<G>>();
  /**
   * Connections that are being read, with the start of their turn in ms of `performance.now`. The one that
   * has been read for longest comes first.
   */
  readonly #reading = new Map<G, number>();
  readonly #networkOfGuest = new Map<G, string>();
  #size = 0;
  #timer: Timer | undefined;

  constructor(private readonly options: WaitingRoomOptions<G>) {}

  /**
   * Number of unregistered connections, including places that {@link take} reserved for connections to come.
   */
  get size(): number {
    return this.#size;
  }

  /** Reserves a place for a connection from an address. @returns false if there is no place */
  take(address: string): boolean {
    const network = networkOf(address);
    const group: Group<G> = this.#groups.get(network) ?? { size: 0, line: new Set() };
    if (group.size >= this.options.perAddress) return false;
    if (this.#size >= this.options.total && !this.#makeRoomFor(group)) return false;
    group.size++;
    this.#size++;
    this.#groups.set(network, group);
    return true;
  }

  /** Gives back a reserved place that was not used. */
  giveBack(address: string): void {
    this.#free(networkOf(address));
  }

  /** Adds a connection that has a reserved place. The connection is paused until its turn to be read. */
  enter(guest: G, address: string): void {
    guest.pause();
    const network = networkOf(address);
    this.#networkOfGuest.set(guest, network);
    this.#groups.get(network)?.line.add(guest);
    this.#giveTurns();
  }

  /**
   * Ends the turn of a connection that has sent something. The connection is paused until it has registered.
   */
  heard(guest: G): void {
    if (!this.#reading.delete(guest)) return;
    guest.pause();
    this.#giveTurns();
  }

  /** Removes a connection that has registered or was closed. */
  leave(guest: G): void {
    if (this.#remove(guest)) this.#giveTurns();
  }

  /** Removes a connection. @returns false if the connection was removed before */
  #remove(guest: G): boolean {
    const network = this.#networkOfGuest.get(guest);
    if (network === undefined) return false;
    this.#networkOfGuest.delete(guest);
    this.#reading.delete(guest);
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

  /**
   * Ends a connection of the address with the most connections, to make room for a connection of an address
   * with fewer connections.
   * @returns false if no place could be freed
   */
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
      if (this.#reading.size >= this.options.readAtOnce && !this.#endLongestTurn()) return;
      const [network, group, guest] = next;
      group.line.delete(guest);
      // Moves the address to the end of the order, so that other addresses are read first.
      this.#groups.delete(network);
      this.#groups.set(network, group);
      this.#reading.set(guest, performance.now());
      guest.resume();
    }
  }

  /**
   * Returns the latest connection of the next address. So a client that has just connected does not wait for
   * earlier connections of its address that send nothing.
   */
  #next(): [network: string, group: Group<G>, guest: G] | undefined {
    for (const [network, group] of this.#groups) {
      const guest = [...group.line].at(-1);
      if (guest) return [network, group, guest];
    }
    return undefined;
  }

  /**
   * Ends the connection that has been read for longest, if its turn is over.
   * @returns false if its turn is not over; a timer then checks again
   */
  #endLongestTurn(): boolean {
    const [longest] = this.#reading;
    const remainingMs = longest ? longest[1] + TURN_MS - performance.now() : 0;
    if (longest && remainingMs <= 0) {
      this.#turnAway(longest[0]);
      return true;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#giveTurns(), remainingMs);
    return false;
  }

  #turnAway(guest: G): void {
    this.#remove(guest);
    this.options.turnAway(guest);
  }
}
