import type { Memory } from "./memory.ts";
import type { Objects } from "./objects.ts";

/** What the classes that store bytes in S3 share. */
export interface Place {
  objects: Objects;
  /** Budget for bytes that are not stored yet. */
  memory: Memory;
  /** Size of a full piece, in bytes. */
  segment: number;
  /** Most parts in an upload. */
  mostParts: number;
  /** Prefix of all keys: empty, or ending in `/`. */
  prefix: string;
  /** ms, of a monotonic clock. */
  now: () => number;
}
