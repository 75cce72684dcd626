import type { ErrorCode } from "../../protocol/errors.ts";
import type { Ended } from "../download.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

/** A histogram. Each bucket counts the values that are not above its bound. */
export class Histogram {
  readonly buckets: { bound: number; count: number }[];
  /** The number of observed values. */
  count = 0;
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.buckets = bounds.map((bound) => ({ bound, count: 0 }));
  }

  observe(value: number): void {
    this.count++;
    this.sum += value;
    for (const bucket of this.buckets) if (value <= bucket.bound) bucket.count++;
  }
}

/** Counters since the start of the server. They are plain numbers that other code increases. */
export class Metrics {
  /**
   * Bytes that clients sent in frames, counted before compression, also for downloads that did not complete.
   */
  receivedBytes = 0;
  /** Payload bytes of the frames that clients sent, counted after compression where a frame is compressed. */
  wireBytes = 0;
  /** Received bytes that have to be sent again, because a frame was damaged or the attempt started over. */
  resentBytes = 0;
  /** Bytes that did not have to be sent again because a download resumed after a break. */
  resumedBytes = 0;
  /** Received frames whose data did not match their CRC or length. */
  damagedChunks = 0;
  /** Received files whose checksum differs from the client's. */
  checksumFailures = 0;
  /** Bytes of stored files that were removed. */
  removedBytes = 0;
  registrations = 0;
  /** Registrations of clients that had registered before. */
  reconnects = 0;
  readonly refusals: Partial<Record<ErrorCode, number>> = {
    enrolment_required: 0,
    id_in_use: 0,
    key_mismatch: 0,
  };
  readonly ended: Record<Ended["status"], number> = { completed: 0, failed: 0, cancelled: 0 };
  /** Attempts to deliver messages to webhooks, by result. */
  readonly webhookAttempts = { delivered: 0, failed: 0 };
  /** Durations of completed downloads from their first start to their end, in seconds. */
  readonly durations = new Histogram([0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 14_400]);
  /** Sizes of completed downloads, in bytes. */
  readonly sizes = new Histogram([64 * KiB, MiB, 10 * MiB, 100 * MiB, GiB, 10 * GiB, 100 * GiB]);
  /** Samples of the event loop's lag, in seconds. */
  readonly eventLoopLag = new Histogram([0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1]);

  refused(code: ErrorCode): void {
    this.refusals[code] = (this.refusals[code] ?? 0) + 1;
  }

  /** Counts a download that has ended. */
  downloadEnded(download: Ended): void {
    this.ended[download.status]++;
    if (download.status !== "completed") return;
    this.durations.observe((download.completedAt - download.startedAt) / 1000);
    this.sizes.observe(download.source.totalSize);
  }
}
