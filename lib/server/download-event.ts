import type { Problem } from "../protocol/errors.ts";
import type { Download, Source } from "./download.ts";
import type { SetCounts } from "./set.ts";

/* The events of a download, and the effects that each event can have. */

/**
 * An event of a download. `cancelled`, `given_up`, `rate_limited` and `retried` concern the whole download.
 * Every other event belongs to one attempt, whose number is the event's `epoch`. It is ignored if that
 * attempt is not the current one.
 */
export type DownloadEvent =
  | { type: "started"; epoch: number; now: number; source: Source; offset: number; reason?: string }
  /**
   * The manifest of a set is recorded. `unmatched`: indices of the patterns that no file matches; null: not
   * known.
   */
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
      /** Only for a set: counts of its files, and the total size of the files to send, in bytes. */
      set?: { files: SetCounts; totalSize: number };
    }
  /** All `size` bytes of the download are flushed to the disk, and their checksum matched. */
  | {
      type: "received";
      epoch: number;
      size: number;
      digest: string;
      bytesOnWire: number;
      savedPath: string;
      /** Only for a set: counts of its files. */
      files?: SetCounts;
    }
  /**
   * No file matches the set's patterns, and the request allows that. The download completes without content.
   */
  | { type: "nothing"; epoch: number; now: number; digest: string; chunkSize: number }
  /** The name of the saved file was taken, so publishing tries the name `savedPath` next. */
  | { type: "renamed"; epoch: number; savedPath: string; digest?: string }
  /**
   * The content has its final name. `storedBytes`: how many bytes count to the client's quota; by default
   * all.
   */
  | { type: "published"; epoch: number; now: number; storedBytes?: number }
  | { type: "lost"; epoch: number; now: number }
  /**
   * The attempt was stopped, and the download waits before its next attempt: the client was slow while other
   * downloads waited, or two machines use the client's id.
   */
  | { type: "gave_way"; epoch: number; now: number; problem: Problem }
  /** The attempt failed. `final`: true if the download is not tried again, whatever the error code says. */
  | { type: "failed"; epoch: number; now: number; problem: Problem; final?: boolean }
  | { type: "cancelled"; now: number }
  /**
   * The download's job no longer wants it. A queued download fails with `problem`, or is cancelled if
   * `problem` is null. A running download continues.
   */
  | { type: "given_up"; now: number; problem: Problem | null }
  | { type: "rate_limited"; rateLimit: number | null }
  /** A new download, with the id `as`, replaces this one. */
  | { type: "retried"; as: string };

/** An action to take after the next state of a download is recorded. */
export type Effect =
  /** Remove the part file, which is no longer needed. */
  | { type: "discard_part" }
  /**
   * End the running attempt, which has not noticed yet that the download ended, and tell the client to stop.
   */
  | { type: "stop_client" }
  /** Apply the row's rate limit to the running attempt. */
  | { type: "apply_rate_limit" }
  /** Tell the client that the file is published. */
  | { type: "confirm_client" }
  /**
   * A slot for running downloads may be free: start queued downloads now, and again when the next one is due.
   */
  | { type: "dispatch" }
  | { type: "log"; level: "info" | "warn"; message: string };

export interface Transition {
  next: Download;
  effects: Effect[];
}
