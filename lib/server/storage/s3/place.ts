import type { Memory } from "./memory.ts";
import type { Objects } from "./objects.ts";

/** Where bytes are kept, and what all that keeps them there stands on. */
export interface Place {
  objects: Objects;
  /** What waits to be an object. */
  memory: Memory;
  /** Bytes of a piece that is full. */
  segment: number;
  /** Most parts of an upload. */
  mostParts: number;
  /** What all keys begin with: empty, or ending in `/`. */
  prefix: string;
  /** ms, of a clock that nobody sets. */
  now: () => number;
}
