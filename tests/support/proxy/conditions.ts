/** The direction of bytes: `up` is from the client to the server, `down` the reverse. */
export type Direction = "up" | "down";

export const DIRECTIONS: readonly Direction[] = ["up", "down"];

/** Properties of the simulated network in one direction. */
export interface Conditions {
  /** Maximum rate of each connection, in bytes per second. */
  bytesPerSecond: number;
  /** Delay of each byte, in ms. */
  delay: number;
  /** Maximum additional random delay, in ms. The order of bytes is kept. */
  jitter: number;
  /** Maximum size of one write, in bytes. The rest is written in a later round of the event loop. */
  pieceBytes: number;
}

/** A network without limits or delays. */
export const PERFECT: Conditions = {
  bytesPerSecond: Infinity,
  delay: 0,
  jitter: 0,
  pieceBytes: Infinity,
};
