import type { Problem } from "../protocol/errors.ts";
import type { Download, Source } from "./download.ts";
import type { SetCounts } from "./set.ts";

/* What can happen to a download, and what follows from it. */

/**
 * An event. All but `cancelled`, `given_up`, `rate_limited` and `retried` belong to one attempt, and are
 * ignored in any other.
 */
export type DownloadEvent =
  | { type: "started"; epoch: number; now: number; source: Source; offset: number; reason?: string }
  /** The manifest of a set is recorded. `unmatched`: as in a download. */
  | {
      type: "listed";
      epoch: number;
      source: Source;
      files: SetCounts;
      unmatched: number[] | null;
    }
  | {
      type: "checkpoint";
      epoch: number;
      durableOffset: number;
      bytesOnWire: number;
      /** Counts of a set's files, and their total size in bytes once all have come. */
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
      /** Counts of a set's files; only for a set. */
      files?: SetCounts;
    }
  /** A set that may be empty is empty, so nothing is published. */
  | { type: "nothing"; epoch: number; now: number; digest: string; chunkSize: number }
  /** The name was taken; the next one is tried. */
  | { type: "renamed"; epoch: number; savedPath: string; digest?: string }
  /** `storedBytes`: what counts to the client's quota, where it differs from the bytes that came. */
  | { type: "published"; epoch: number; now: number; storedBytes?: number }
  | { type: "lost"; epoch: number; now: number }
  /** The attempt makes way: the client was slow while others waited, or another machine took its id. */
  | { type: "gave_way"; epoch: number; now: number; problem: Problem }
  /** `final`: there is no further try, whatever the table of codes says. */
  | { type: "failed"; epoch: number; now: number; problem: Problem; final?: boolean }
  | { type: "cancelled"; now: number }
  /**
   * Its job no longer wants the download. If it waits, it fails with the problem, or is cancelled without
   * one. If it runs, it goes on.
   */
  | { type: "given_up"; now: number; problem: Problem | null }
  | { type: "rate_limited"; rateLimit: number | null }
  /** Another download takes its place. */
  | { type: "retried"; as: string };

/** What is to be done once the next state is recorded. */
export type Effect =
  /** Remove the part file, which is no longer needed. */
  | { type: "discard_part" }
  /** End the running attempt and tell the client. The attempt itself does not know yet. */
  | { type: "stop_client" }
  /** Apply the row's rate limit to the running attempt. */
  | { type: "apply_rate_limit" }
  /** Tell the client that the file is published. */
  | { type: "confirm_client" }
  /** A slot is free: look at the queue, and again when the next download is due. */
  | { type: "dispatch" }
  | { type: "log"; level: "info" | "warn"; message: string };

export interface Transition {
  next: Download;
  effects: Effect[];
}
