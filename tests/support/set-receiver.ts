import { afterEach, beforeEach, expect, jest, spyOn } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeFrame, encodeFrame } from "../../lib/protocol/frame.ts";
import type { ServerMessage } from "../../lib/protocol/messages.ts";
import { recordLength, type SetRecord, writeRecord } from "../../lib/protocol/set-records.ts";
import type { Repository } from "../../lib/server/database/repository.ts";
import { openSqlRepository } from "../../lib/server/database/sql.ts";
import { WriteAheadLog } from "../../lib/server/database/write-ahead-log.ts";
import { type Download, newDownload } from "../../lib/server/download.ts";
import { Metrics } from "../../lib/server/metrics/metrics.ts";
import type { SetOrder } from "../../lib/server/set.ts";
import { FlowControl } from "../../lib/server/transfer/flow-control.ts";
import { SetReceiver } from "../../lib/server/transfer/set-receiver.ts";
import { transition } from "../../lib/server/transition.ts";
import { Logger } from "../../lib/util/logger.ts";
import { claim, NOW, order } from "./downloads.ts";
import { MemoryStorage } from "./memory-storage.ts";

/* A receiver of a set that writes to a storage in memory, on a fake clock. */

export const CHUNK = 64 * 1024;
/** Maximum size of a set, in bytes. */
export const QUOTA = 8 * 1024 * 1024;
export const OVER_QUOTA = {
  problem: { code: "storage_full", message: "it is over the quota" },
  final: true,
} as const;
/** Maximum number of written but unflushed bytes of a set. */
export const UNSAFE = 1024 * 1024;
/**
 * Size in bytes from which a file of a set is written while it arrives, not kept in memory until complete.
 */
export const LARGE = 1024 * 1024;
const SET: SetOrder = {
  paths: ["**"],
  exclude: [],
  minAgeMs: 0,
  unchanged: "send",
  strict: false,
  ifNone: "fail",
  maxFiles: 1000,
  maxBytes: null,
};

let folder: string;
let repository: Repository;
let row: Download;
export let told: ServerMessage[];
export let pool: FlowControl;
export let storage: MemoryStorage;
export let receiver: SetReceiver;
export let outcome: Promise<unknown>;
/** Offset in the stream at which the next frame begins. */
export let offset: number;

/** Waits until everything is done that does not wait for a timer. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 2_000; turn++) await Promise.resolve();
}

/** Sends the receiver a frame with these bytes. */
export async function send(bytes: Uint8Array): Promise<void> {
  receiver.onFrame(decodeFrame(encodeFrame({ stream: 1, epoch: 1, offset }, bytes), CHUNK));
  offset += bytes.length;
  await settle();
}

/** Makes a line of a set's manifest, with the path and size of one file. */
export const line = (path: string, size = 0) =>
  Buffer.from(`${JSON.stringify({ path, root: 0, size, mtime_ns: "1" })}\n`);

/** Sends the receiver these records in one frame. */
export async function sendRecords(...records: SetRecord[]): Promise<void> {
  const bytes = new Uint8Array(records.reduce((sum, record) => sum + recordLength(record), 0));
  let at = 0;
  for (const record of records) at = writeRecord(bytes, at, record);
  await send(bytes);
}

/** Sends a manifest with one file of this size, and expects that the receiver asks for the file. */
export async function wanted(size: number): Promise<void> {
  await send(line("a", size));
  receiver.onMessage({ type: "set_listed", stream: 1, epoch: 1, total_size: offset });
  await settle();
  expect(told.at(-1)).toMatchObject({ type: "set_want", files: [{ index: 0 }] });
}

/** Makes a record that begins a file. @param from offset of the file's first byte that follows */
export const start = (size: number, from = 0): SetRecord => ({
  type: "start",
  index: 0,
  size,
  mtimeNs: 1n,
  offset: from,
});
/** Makes a data record with this many zero bytes. */
export const data = (length: number): SetRecord => ({
  type: "data",
  bytes: new Uint8Array(length),
});

/** Reports whether the receiver has cancelled the set. */
export const isOver = () => told.some(({ type }) => type === "cancel");

/** Starts a receiver before each test of a file, and afterwards expects that all credit was returned. */
export function useSetReceiver(): void {
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "fds-set-receiver-"));
    repository = await openSqlRepository(`sqlite://${folder}/state.db`);
    // A real flush would run in another thread, and settle() could not wait for it.
    spyOn(WriteAheadLog.prototype, "flush").mockResolvedValue(undefined);
    jest.useFakeTimers();
    told = [];
    offset = 0;
    pool = new FlowControl(1024 * 1024);
    storage = new MemoryStorage();
    storage.sets.maxUnflushed = UNSAFE;
    storage.sets.checkpointBytes = UNSAFE / 2;
    const download = claim(newDownload("id", order("site-1", "**", { set: SET }), NOW), NOW);
    row = download;
    receiver = new SetReceiver({
      download,
      stream: 1,
      chunkSize: CHUNK,
      link: { send: (message) => told.push(message), roundTripMs: () => 1, rate: null },
      storage,
      rows: repository.sets,
      order: SET,
      credit: pool,
      minFreeDisk: 0,
      findOverQuota: async (totalSize) => (totalSize > QUOTA ? OVER_QUOTA : null),
      othersWait: async () => false,
      report: async (event) => (row = transition(row, event).next),
      metrics: new Metrics(),
      logger: new Logger({ level: "error", format: "json", write: () => undefined }),
    });
    outcome = receiver.run();
    await settle();
  });

  afterEach(async () => {
    receiver.lose();
    jest.useRealTimers();
    await outcome;
    await repository.close();
    await rm(folder, { recursive: true, force: true });
    jest.restoreAllMocks();
    expect(pool.outstanding, "all credit is given back").toBe(0);
  });
}
