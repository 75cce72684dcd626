import type { Direction } from "./conditions.ts";

/** Something that happens when a byte is about to pass. */
interface Trap {
  direction: Direction;
  /** Counted over all connections, as what is carried is. */
  offset: number;
  spring: (next: Buffer) => void;
}

/** Counts what passes over all connections of a proxy, and acts at exact bytes of it. */
export class Traps {
  /** Bytes that were handed on so far. */
  readonly carried: Record<Direction, number> = { up: 0, down: 0 };
  readonly #traps = new Set<Trap>();

  /** See `Proxy.after`. */
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

  /** Springs what is set for the first of these bytes. */
  spring(direction: Direction, next: Buffer): void {
    for (const trap of this.#traps) {
      if (trap.direction === direction && trap.offset === this.carried[direction]) {
        trap.spring(next);
      }
    }
  }

  /** Bytes that may pass until the next trap. */
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
