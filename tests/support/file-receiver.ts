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

/*
 * A receiver of one file, with a disk that is held up at will, on a clock that tests move.
 */

export const given = {} as {
  /** The download as it is recorded. */
  row: Download;
  /** Whether other downloads wait for the credit that this one holds. */
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

/** Begins an attempt. */
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
      // Never more than what is safe, whatever the receiver says.
      if (event.type === "checkpoint") expect(event.durableOffset).toBeLessThanOrEqual(part.synced);
      return (given.row = transition(given.row, event).next);
    },
    metrics: new Metrics(),
    logger: new Logger({ level: "error", format: "json", write: () => undefined }),
  });
  outcome = receiver.run();
  await settle();
}

/** Lets everything happen that waits for no clock. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await Promise.resolve();
}

/** The client opens the file. */
export const start = (offset = 0) =>
  receiver.onMessage({
    type: "file_start",
    stream: 1,
    epoch: 1,
    identity: IDENTITY,
    total_size: BYTES.length,
    offset,
  });

/** The client sends a chunk. */
export function sendChunk(offset: number): void {
  const payload = BYTES.subarray(offset, offset + CHUNK);
  const bytes = encodeFrame({ stream: 1, epoch: 1, offset }, payload);
  expect(bytes).toHaveLength(HEADER_BYTES + payload.length);
  receiver.onFrame(decodeFrame(bytes, CHUNK));
}

/** Begins a download before each test of a file, and looks at its end whether all was given back. */
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
