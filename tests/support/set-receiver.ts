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

/* A receiver of a set, on a clock that tests move. */

export const CHUNK = 64 * 1024;
/** Most bytes of a set. */
export const QUOTA = 8 * 1024 * 1024;
export const OVER_QUOTA = {
  problem: { code: "storage_full", message: "it is over the quota" },
  final: true,
} as const;
/** Bytes of a set that may be written and not flushed. */
export const UNSAFE = 1024 * 1024;
/** A file of so many bytes is written before it is whole. */
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
/** Where the next frame begins. */
export let offset: number;

/** Lets everything happen that waits for no clock. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 2_000; turn++) await Promise.resolve();
}

/** The client sends bytes in a frame. */
export async function send(bytes: Uint8Array): Promise<void> {
  receiver.onFrame(decodeFrame(encodeFrame({ stream: 1, epoch: 1, offset }, bytes), CHUNK));
  offset += bytes.length;
  await settle();
}

/** A line of the manifest. */
export const line = (path: string, size = 0) =>
  Buffer.from(`${JSON.stringify({ path, root: 0, size, mtime_ns: "1" })}\n`);

/** The client sends records in a frame. */
export async function sendRecords(...records: SetRecord[]): Promise<void> {
  const bytes = new Uint8Array(records.reduce((sum, record) => sum + recordLength(record), 0));
  let at = 0;
  for (const record of records) at = writeRecord(bytes, at, record);
  await send(bytes);
}

/** One file is wanted, of which the client owes all. */
export async function wanted(size: number): Promise<void> {
  await send(line("a", size));
  receiver.onMessage({ type: "set_listed", stream: 1, epoch: 1, total_size: offset });
  await settle();
  expect(told.at(-1)).toMatchObject({ type: "set_want", files: [{ index: 0 }] });
}

/** A record with which a file begins. */
export const start = (size: number, from = 0): SetRecord => ({
  type: "start",
  index: 0,
  size,
  mtimeNs: 1n,
  offset: from,
});
/** A record of zeros. */
export const data = (length: number): SetRecord => ({
  type: "data",
  bytes: new Uint8Array(length),
});

/** Whether the receiver has given up. */
export const isOver = () => told.some(({ type }) => type === "cancel");

/** Begins a set before each test of a file, and looks at its end that all credit was given back. */
export function useSetReceiver(): void {
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "fds-set-receiver-"));
    repository = await openSqlRepository(`sqlite://${folder}/state.db`);
    // No other thread: what waits for no clock is over after some turns.
    spyOn(WriteAheadLog.prototype, "flush").mockResolvedValue(undefined);
    jest.useFakeTimers();
    told = [];
    offset = 0;
    pool = new FlowControl(1024 * 1024);
    storage = new MemoryStorage();
    storage.sets.maxUnsafe = UNSAFE;
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
