import { afterEach, beforeEach, expect, jest } from "bun:test";
import { HEADER_BYTES, decodeFrame, encodeFrame } from "../../lib/protocol/frame.ts";
import type { ServerMessage } from "../../lib/protocol/messages.ts";
import { FlowControl } from "../../lib/server/transfer/flow-control.ts";
import { type Download, type Downloading, newDownload } from "../../lib/server/download.ts";
import { transition } from "../../lib/server/transition.ts";
import { SerialQueue } from "../../lib/util/serial-queue.ts";
import { Metrics } from "../../lib/server/metrics/metrics.ts";
import { FileReceiver } from "../../lib/server/transfer/file-receiver.ts";
import type { Storage } from "../../lib/server/storage/storage.ts";
import { Logger } from "../../lib/util/logger.ts";
import { claim, NOW, order } from "./downloads.ts";
import { MemoryPart } from "./memory-storage.ts";
import { Random } from "./random.ts";

/* A receiver of one file that writes to a part in memory, on a fake clock. Tests can delay the writes. */

export const given = {} as {
  /** The row of the download, as the receiver last reported it. */
  row: Download;
  /** Whether other downloads wait for the flow-control credit that this download holds. */
  othersWait: boolean;
};

export const CHUNK = 4096;
export const BYTES = new Random(5).bytes(3 * CHUNK + 1);
export const IDENTITY = {
  size: BYTES.length,
  mtime_ns: "1",
  ctime_ns: "2",
  inode: "3",
  device: "4",
};

export let part: MemoryPart;
export let told: ServerMessage[];
let pool: FlowControl;
export let receiver: FileReceiver;
export let outcome: Promise<unknown>;

/** Starts the receiver for an attempt of a download. */
export async function receive(download: Downloading): Promise<void> {
  given.row = download;
  const storage: Pick<Storage, "openPart" | "freeSpace"> = {
    openPart: async () => part,
    freeSpace: async () => ({ free: 2 ** 40, total: 2 ** 40 }),
  };
  receiver = new FileReceiver({
    download,
    stream: 1,
    chunkSize: CHUNK,
    link: { send: (message) => told.push(message), roundTripMs: () => 1, rate: null },
    storage,
    credit: pool,
    minFreeDisk: 0,
    checkpoints: new SerialQueue(),
    starts: new SerialQueue(),
    findOverQuota: async () => null,
    othersWait: async () => given.othersWait,
    report: async (event) => {
      // The reported durable offset must never exceed the bytes that were flushed.
      if (event.type === "checkpoint") expect(event.durableOffset).toBeLessThanOrEqual(part.synced);
      return (given.row = transition(given.row, event).next);
    },
    metrics: new Metrics(),
    logger: new Logger({ level: "error", format: "json", write: () => undefined }),
  });
  outcome = receiver.run();
  await settle();
}

/** Waits until everything is done that does not wait for a timer. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await Promise.resolve();
}

/** Sends the receiver the client's `file_start`. @param offset the offset from which the client sends */
export const start = (offset = 0) =>
  receiver.onMessage({
    type: "file_start",
    stream: 1,
    epoch: 1,
    identity: IDENTITY,
    total_size: BYTES.length,
    offset,
  });

/** Sends the receiver one frame with the chunk at an offset of the file. */
export function sendChunk(offset: number): void {
  const payload = BYTES.subarray(offset, offset + CHUNK);
  const bytes = encodeFrame({ stream: 1, epoch: 1, offset }, payload);
  expect(bytes).toHaveLength(HEADER_BYTES + payload.length);
  receiver.onFrame(decodeFrame(bytes, CHUNK));
}

/**
 * Starts a receiver before each test of a file, and afterwards expects its part closed and its credit
 * returned.
 */
export function useFileReceiver(): void {
  beforeEach(async () => {
    given.othersWait = false;
    jest.useFakeTimers();
    part = new MemoryPart();
    told = [];
    pool = new FlowControl(1024 * 1024);
    await receive(claim(newDownload("id", order("site-1", "a.bin"), NOW), NOW));
  });

  afterEach(async () => {
    receiver.lose();
    jest.useRealTimers();
    await outcome;
    expect(part.closed).toBe(true);
    expect(pool.outstanding, "all credit is given back").toBe(0);
  });
}
