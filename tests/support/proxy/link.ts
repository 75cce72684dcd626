import type { Socket } from "node:net";
import { DIRECTIONS, type Direction } from "./conditions.ts";
import type { Cut, Lane } from "./lane.ts";

/** One connection through the proxy: two sockets, and a lane for each direction. */
export class Link {
  constructor(
    private readonly sockets: readonly Socket[],
    private readonly lanes: Record<Direction, Lane>,
  ) {}

  /** Lets nothing pass, not even the end of either side: both stay connected. */
  hold(...directions: Direction[]): void {
    for (const direction of directions) this.lanes[direction].hold();
  }

  release(...directions: Direction[]): void {
    for (const direction of directions) this.lanes[direction].release();
  }

  /** Ends it on both sides; what is under way is lost. */
  cut(how: Cut): void {
    for (const direction of DIRECTIONS) this.lanes[direction].cut();
    for (const socket of this.sockets) {
      if (how === "rst") socket.resetAndDestroy();
      else socket.end();
    }
  }

  /** Hands on what is due. */
  deliver(direction: Direction): void {
    this.lanes[direction].deliver();
  }
}
