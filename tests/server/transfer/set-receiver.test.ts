import { afterEach, beforeEach, describe, expect, jest, spyOn, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeFrame, encodeFrame } from "../../../lib/protocol/frame.ts";
import type { ServerMessage } from "../../../lib/protocol/messages.ts";
import {
  DATA_HEADER_BYTES,
  recordLength,
  type SetRecord,
  writeRecord,
} from "../../../lib/protocol/set-records.ts";
import type { Repository } from "../../../lib/server/database/repository.ts";
import { openSqlRepository } from "../../../lib/server/database/sql.ts";
import { WriteAheadLog } from "../../../lib/server/database/write-ahead-log.ts";
import { type Download, newDownload } from "../../../lib/server/download.ts";
import { Metrics } from "../../../lib/server/metrics/metrics.ts";
import type { SetOrder } from "../../../lib/server/set.ts";
import { FlowControl } from "../../../lib/server/transfer/flow-control.ts";
import { SetReceiver } from "../../../lib/server/transfer/set-receiver.ts";
import { transition } from "../../../lib/server/transition.ts";
import { Logger } from "../../../lib/util/logger.ts";
import { claim, NOW, order } from "../../support/downloads.ts";
import { MemoryStorage } from "../../support/memory-storage.ts";

/* A receiver of a set on a clock that tests move: what counts as an answer, and for how long. */

const CHUNK = 64 * 1024;
/** Most bytes of a set. */
const QUOTA = 8 * 1024 * 1024;
const OVER_QUOTA = {
  problem: { code: "storage_full", message: "it is over the quota" },
  final: true,
} as const;
/** Bytes of a set that may be written and not flushed. */
const UNSAFE = 1024 * 1024;
/** A file of so many bytes is written before it is whole. */
const LARGE = 1024 * 1024;
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
let told: ServerMessage[];
let pool: FlowControl;
let storage: MemoryStorage;
let receiver: SetReceiver;
let outcome: Promise<unknown>;
let offset: number;

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

/** Lets everything happen that waits for no clock. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 2_000; turn++) await Promise.resolve();
}

/** Lets a time pass, with the look that is taken at each receiver every 5 s. */
async function pass(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 5) {
    jest.advanceTimersByTime(5000);
    await settle();
    receiver.checkStalled();
  }
}

const proving = (at: number) =>
  receiver.onMessage({ type: "proving", stream: 1, epoch: 1, offset: at });

async function send(bytes: Uint8Array): Promise<void> {
  receiver.onFrame(decodeFrame(encodeFrame({ stream: 1, epoch: 1, offset }, bytes), CHUNK));
  offset += bytes.length;
  await settle();
}

const line = (path: string, size = 0) =>
  Buffer.from(`${JSON.stringify({ path, root: 0, size, mtime_ns: "1" })}\n`);

async function sendRecords(...records: SetRecord[]): Promise<void> {
  const bytes = new Uint8Array(records.reduce((sum, record) => sum + recordLength(record), 0));
  let at = 0;
  for (const record of records) at = writeRecord(bytes, at, record);
  await send(bytes);
}

/** One file is wanted, of which the client owes all. */
async function wanted(size: number): Promise<void> {
  await send(line("a", size));
  receiver.onMessage({ type: "set_listed", stream: 1, epoch: 1, total_size: offset });
  await settle();
  expect(told.at(-1)).toMatchObject({ type: "set_want", files: [{ index: 0 }] });
}

const start = (size: number, from = 0): SetRecord => ({
  type: "start",
  index: 0,
  size,
  mtimeNs: 1n,
  offset: from,
});
const data = (length: number): SetRecord => ({ type: "data", bytes: new Uint8Array(length) });

const isOver = () => told.some(({ type }) => type === "cancel");

async function expectStalled(): Promise<void> {
  expect(isOver()).toBe(true);
  expect(await outcome).toMatchObject({ type: "failed", problem: { code: "client_timeout" } });
}

describe("a walk that is long", () => {
  test("counts as an answer while it sees more names", async () => {
    for (let names = 1; names <= 20; names++) {
      proving(names);
      await pass(30);
    }
    expect(isOver()).toBe(false);
  });

  test("and sees no other name is given up after a minute", async () => {
    for (let step = 1; step <= 3; step++) {
      proving(7);
      await pass(30);
    }
    await expectStalled();
  });

  test("and names no file is given up after 15 minutes, however many names it sees", async () => {
    for (let minute = 1; minute <= 15; minute++) {
      proving(minute);
      await pass(60);
    }
    expect(isOver()).toBe(false);
    for (let minute = 16; minute <= 18; minute++) {
      proving(minute);
      await pass(60);
    }
    await expectStalled();
  });

  test("and names a file now and then is not", async () => {
    for (let minute = 1; minute <= 40; minute++) {
      proving(minute);
      if (minute % 10 === 0) await send(line(`${minute}`));
      await pass(60);
    }
    expect(isOver()).toBe(false);
  });
});

describe("a file that is read again", () => {
  test("counts as an answer within what is here of it", async () => {
    await wanted(LARGE);
    await sendRecords(start(LARGE), data(CHUNK / 2));
    for (let step = 1; step <= 10; step++) {
      proving(step * 3000);
      await pass(30);
    }
    expect(isOver()).toBe(false);
    for (let step = 1; step <= 3; step++) {
      proving(CHUNK + step);
      await pass(30);
    }
    await expectStalled();
  });

  test("is no answer where nothing of it is here", async () => {
    await wanted(CHUNK);
    for (let step = 1; step <= 3; step++) {
      proving(step * 1000);
      await pass(30);
    }
    await expectStalled();
  });

  test("is an answer a few times only", async () => {
    await wanted(LARGE);
    await sendRecords(start(LARGE), data(1000));
    for (let reading = 1; reading <= 30; reading++) {
      proving(1);
      await pass(15);
      proving(1000);
      await pass(15);
    }
    await expectStalled();
  });
});

describe("what brings a set no further is no answer", () => {
  test("a file that begins again and again", async () => {
    await wanted(CHUNK);
    for (let step = 1; step <= 3; step++) {
      await sendRecords(start(CHUNK), data(1000));
      await pass(30);
    }
    await expectStalled();
  });

  test("a frame that does not unpack", async () => {
    await wanted(CHUNK);
    for (let step = 1; step <= 3; step++) {
      const bytes = encodeFrame(
        { stream: 1, epoch: 1, offset },
        Buffer.alloc(1000),
        Buffer.from("?"),
      );
      receiver.onFrame(decodeFrame(bytes, CHUNK));
      const resends = () => told.filter(({ type }) => type === "resend").length;
      // Another thread unpacks, by no clock.
      while (resends() < step) await new Promise((resolve) => setImmediate(resolve));
      await pass(30);
    }
    await expectStalled();
  });
});

describe("a file that has more bytes than was listed", () => {
  test("ends the set before one of them comes, where that is over a quota", async () => {
    await wanted(CHUNK);
    await sendRecords(start(QUOTA + 1));
    expect(isOver()).toBe(true);
    expect(await outcome).toMatchObject({ type: "failed", ...OVER_QUOTA });
  });

  test("comes where there is room for it", async () => {
    await wanted(CHUNK);
    await sendRecords(start(QUOTA), data(1000));
    expect(isOver()).toBe(false);
  });

  test("ends the set also where it says so only behind a damaged frame", async () => {
    await wanted(CHUNK);
    await sendRecords(start(CHUNK), data(1000));
    await sendRecords(start(QUOTA + 1, 1000));
    expect(isOver()).toBe(true);
    expect(await outcome).toMatchObject({ type: "failed", ...OVER_QUOTA });
  });

  test("is stored whole where it was a small one, and is large behind a damaged frame", async () => {
    const bytes = new Uint8Array(20 * 30_000).map((_, at) => at * 7);
    const piece = (at: number): SetRecord => {
      return { type: "data", bytes: bytes.slice(at, at + 30_000) };
    };
    await wanted(CHUNK);
    await sendRecords(start(CHUNK), piece(0));
    await sendRecords(start(bytes.length, 30_000));
    for (let at = 30_000; at < bytes.length; at += 30_000) await sendRecords(piece(at));
    const digest = Bun.CryptoHasher.hash("md5", bytes, "hex");
    await sendRecords({ type: "end", changed: false, digest });
    expect(await outcome).toMatchObject({ type: "set_received", size: bytes.length });
  });

  test("cannot come over a quota bit by bit, by starting anew each time", async () => {
    await wanted(CHUNK);
    for (let size = CHUNK; size < QUOTA + LARGE && !isOver(); size += CHUNK) {
      await sendRecords(start(size));
    }
    expect(await outcome).toMatchObject({ type: "failed", ...OVER_QUOTA });
  });
});

test("no more comes than may be lost, while the disk does not flush", async () => {
  const set = await storage.sets.open("id");
  const flushed = Promise.withResolvers<void>();
  const flush = spyOn(set, "sync").mockImplementation(() => flushed.promise);
  const size = 4 * UNSAFE;
  await wanted(size);
  await sendRecords(start(size));
  const granted = () =>
    Math.max(...told.map((message) => ("max_offset" in message ? message.max_offset : 0)));
  const room = () => granted() - offset - DATA_HEADER_BYTES;
  for (let sent = 0; sent < size && room() > 0;) {
    const length = Math.min(size - sent, room(), CHUNK - DATA_HEADER_BYTES);
    await sendRecords(data(length));
    sent += length;
  }
  const most = granted();
  // What ended as a failure has to end, too.
  flushed.resolve();
  expect(most).toBeLessThanOrEqual(UNSAFE + pool.budget);
  expect(flush).toHaveBeenCalledTimes(1);
});
