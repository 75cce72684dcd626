import type { Socket } from "node:net";
import { DIRECTIONS, type Direction } from "./conditions.ts";
import type { Cut, Lane } from "./lane.ts";

/** One connection through the proxy: two sockets, and a lane for each direction. */
export class Link {
  constructor(
    private readonly sockets: readonly Socket[],
    private readonly lanes: Record<Direction, Lane>,
  ) {}

  /** Holds back all bytes, and the closing by either side. Both sockets stay connected. */
  hold(...directions: Direction[]): void {
    for (const direction of directions) this.lanes[direction].hold();
  }

  release(...directions: Direction[]): void {
    for (const direction of directions) this.lanes[direction].release();
  }

  /** Closes both sockets. Bytes under way are lost. */
  cut(how: Cut): void {
    for (const direction of DIRECTIONS) this.lanes[direction].cut();
    for (const socket of this.sockets) {
      if (how === "rst") socket.resetAndDestroy();
      else socket.end();
    }
  }

  /** Forwards the pieces of a direction whose delivery time has come. */
  deliver(direction: Direction): void {
    this.lanes[direction].deliver();
  }
}
