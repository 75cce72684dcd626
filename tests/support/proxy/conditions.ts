/** `up`: from the client to the server. */
export type Direction = "up" | "down";

export const DIRECTIONS: readonly Direction[] = ["up", "down"];

/** What a direction of a network is like. */
export interface Conditions {
  /** Most bytes a second, for each connection. */
  bytesPerSecond: number;
  /** How long each byte is under way, in ms. */
  delay: number;
  /** Up to this many ms more, drawn from the proxy's seed; no byte overtakes another. */
  jitter: number;
  /** Most bytes in one write; what is left waits for the next turn of the event loop. */
  pieceBytes: number;
}

/** A network that does nothing to anybody. */
export const PERFECT: Conditions = {
  bytesPerSecond: Infinity,
  delay: 0,
  jitter: 0,
  pieceBytes: Infinity,
};
