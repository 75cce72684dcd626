import type { Memory } from "./memory.ts";
import type { Objects } from "./objects.ts";

/** The state shared by the classes that store bytes in S3. */
export interface S3Context {
  objects: Objects;
  /** Memory budget for the bytes of parts on their way to or from S3. */
  memory: Memory;
  /** Size of a full segment, in bytes. */
  segment: number;
  /** Maximum number of parts in a multipart upload. */
  maxParts: number;
  /** Prefix of all keys. It is empty or ends in `/`. */
  prefix: string;
  /** Monotonic clock, in ms. */
  now: () => number;
}
