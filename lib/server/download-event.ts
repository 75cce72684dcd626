import type { Problem } from "../protocol/errors.ts";
import type { Download, Source } from "./download.ts";
import type { SetCounts } from "./set.ts";

/* What can happen to a download, and what is to be done about it. */

/**
 * What happened. All but `cancelled`, `given_up`, `rate_limited` and `retried` belong to one attempt and are void
 * for any other.
 */
export type DownloadEvent =
  | { type: "started"; epoch: number; now: number; source: Source; offset: number; reason?: string }
  /** The manifest of a set is recorded. */
  | { type: "listed"; epoch: number; source: Source; files: SetCounts }
  | {
      type: "checkpoint";
      epoch: number;
      durableOffset: number;
      bytesOnWire: number;
      /** The counts of a set's files, and the bytes that all of them will have. */
      set?: { files: SetCounts; totalSize: number };
    }
  /** All `size` bytes are flushed and their checksum matched. */
  | {
      type: "received";
      epoch: number;
      size: number;
      digest: string;
      bytesOnWire: number;
      savedPath: string;
      /** Files of a set. Only a set has them. */
      files?: SetCounts;
    }
  /** A set that may be empty is: there is nothing to publish. */
  | { type: "nothing"; epoch: number; now: number; digest: string; chunkSize: number }
  /** The name was taken, another one is next. */
  | { type: "renamed"; epoch: number; savedPath: string; digest?: string }
  /** `storedBytes`: what it takes of a quota, where that is not the bytes that came. */
  | { type: "published"; epoch: number; now: number; storedBytes?: number }
  | { type: "lost"; epoch: number; now: number }
  /** The client was slow while others waited, or another machine took its id. */
  | { type: "gave_way"; epoch: number; now: number; problem: Problem }
  /** `final`: no other try, whatever the table says of the code. */
  | { type: "failed"; epoch: number; now: number; problem: Problem; final?: boolean }
  | { type: "cancelled"; now: number }
  /** What waits is given up: it failed by a problem, or is cancelled. What runs goes on. */
  | { type: "given_up"; now: number; problem: Problem | null }
  | { type: "rate_limited"; rateLimit: number | null }
  /** Another download asks for the file again. */
  | { type: "retried"; as: string };

/** What is to be done once the next state is recorded. */
export type Effect =
  /** Remove the part file: nothing in it will be used. */
  | { type: "discard_part" }
  /** End the attempt that runs, which knows nothing of it, and tell the client. */
  | { type: "stop_client" }
  /** From now on the bytes come at the rate of the row. */
  | { type: "apply_rate_limit" }
  /** Tell the client that the file is published. */
  | { type: "confirm_client" }
  /** A slot became free: look at the queue, and again when what waits in it is due. */
  | { type: "dispatch" }
  | { type: "log"; level: "info" | "warn"; message: string };

export interface Transition {
  next: Download;
  effects: Effect[];
}
