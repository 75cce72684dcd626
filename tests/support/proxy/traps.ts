import type { Direction } from "./conditions.ts";

/** A function to be called just before the byte at an offset is forwarded. */
interface Trap {
  direction: Direction;
  /** Offset among all bytes forwarded in this direction, over all connections. */
  offset: number;
  spring: (next: Buffer) => void;
}

/** Counts the bytes forwarded over all connections of a proxy, and calls functions at exact offsets. */
export class Traps {
  /** Bytes forwarded so far in each direction. */
  readonly carried: Record<Direction, number> = { up: 0, down: 0 };
  readonly #traps = new Set<Trap>();

  /** Sets a trap; see `Proxy.after` for the parameters. */
  set(direction: Direction, offset: number, act: (next: Buffer) => void): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const trap: Trap = {
      direction,
      offset: this.carried[direction] + offset,
      spring: (next) => {
        this.#traps.delete(trap);
        act(next);
        resolve();
      },
    };
    this.#traps.add(trap);
    return promise;
  }

  /** Calls the functions set for the offset of the first of these bytes. */
  spring(direction: Direction, next: Buffer): void {
    for (const trap of this.#traps) {
      if (trap.direction === direction && trap.offset === this.carried[direction]) {
        trap.spring(next);
      }
    }
  }

  /** Returns the number of bytes that may be forwarded before the next trap. */
  free(direction: Direction): number {
    let free = Infinity;
    for (const trap of this.#traps) {
      if (trap.direction !== direction) continue;
      const until = trap.offset - this.carried[direction];
      if (until > 0) free = Math.min(free, until);
    }
    return free;
  }
}
