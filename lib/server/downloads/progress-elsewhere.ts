import { RateMeter } from "../../util/rate-meter.ts";
import type { Download } from "../download.ts";
import type { Progress } from "../transfer/incoming-stream.ts";

/** Time over which a rate is measured, in ms. It is long because rows change less often than bytes arrive. */
const SPAN_MS = 5_000;
/** Maximum number of downloads whose rates are remembered. */
const MAX_REMEMBERED = 1_000;

interface Seen {
  epoch: number;
  offset: number;
  meter: RateMeter;
}

/** The progress of downloads that other servers run, estimated from their rows. */
export class ProgressElsewhere {
  /** The downloads seen, by id. The one whose row was read longest ago comes first. */
  readonly #seen = new Map<string, Seen>();

  /** @param now returns the time of a monotonic clock, in ms */
  constructor(private readonly now: () => number = performance.now.bind(performance)) {}

  /** Returns the progress of a download; undefined: the download does not run. */
  progressOf(download: Download): Progress | undefined {
    const { downloadId, epoch } = download;
    const before = this.#seen.get(downloadId);
    this.#seen.delete(downloadId);
    if (download.status !== "downloading") return undefined;
    const { durableOffset, bytesOnWire } = download;
    const seen = before?.epoch === epoch ? before : this.#begin(epoch, durableOffset);
    seen.meter.add(Math.max(0, durableOffset - seen.offset));
    seen.offset = durableOffset;
    this.#seen.set(downloadId, seen);
    const [oldest] = this.#seen.keys();
    if (this.#seen.size > MAX_REMEMBERED && oldest !== undefined) this.#seen.delete(oldest);
    const bytesPerSecond = seen.meter.bytesPerSecond();
    return { bytesReceived: durableOffset, bytesOnWire, bytesPerSecond };
  }

  #begin(epoch: number, offset: number): Seen {
    return { epoch, offset, meter: new RateMeter(SPAN_MS, this.now) };
  }
}
