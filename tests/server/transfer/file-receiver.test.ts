import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import { HEADER_BYTES, decodeFrame, encodeFrame } from "../../../lib/protocol/frame.ts";
import type { ServerMessage } from "../../../lib/protocol/messages.ts";
import { FlowControl } from "../../../lib/server/transfer/flow-control.ts";
import { type Download, type Downloading, newDownload } from "../../../lib/server/download.ts";
import { transition } from "../../../lib/server/transition.ts";
import { SerialQueue } from "../../../lib/util/serial-queue.ts";
import { Metrics } from "../../../lib/server/metrics/metrics.ts";
import { FileReceiver } from "../../../lib/server/transfer/file-receiver.ts";
import type { Storage } from "../../../lib/server/storage/storage.ts";
import { Logger } from "../../../lib/util/logger.ts";
import { claim, NOW, order } from "../../support/downloads.ts";
import { MemoryPart } from "../../support/memory-storage.ts";
import { Random } from "../../support/random.ts";
import { md5 } from "../../support/scripted-client.ts";

/*
 * A receiver with a disk that is held up at will, on a clock that tests move: who owes an answer,
 * and what is safe when.
 */

const CHUNK = 4096;
const BYTES = new Random(5).bytes(3 * CHUNK + 1);
const IDENTITY = {
  size: BYTES.length,
  mtime_ns: "1",
  ctime_ns: "2",
  inode: "3",
  device: "4",
};

let part: MemoryPart;
let row: Download;
let told: ServerMessage[];
let pool: FlowControl;
let receiver: FileReceiver;
let outcome: Promise<unknown>;
/** For what the receiver holds. */
let othersWait: boolean;

beforeEach(async () => {
  othersWait = false;
  jest.useFakeTimers();
  part = new MemoryPart();
  told = [];
  pool = new FlowControl(1024 * 1024);
  await receive(claim(newDownload("id", order("site-1", "a.bin"), NOW), NOW));
});

async function receive(download: Downloading): Promise<void> {
  row = download;
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
    othersWait: async () => othersWait,
    report: async (event) => {
      // Never more than what is safe, whatever the receiver says.
      if (event.type === "checkpoint") expect(event.durableOffset).toBeLessThanOrEqual(part.synced);
      return (row = transition(row, event).next);
    },
    metrics: new Metrics(),
    logger: new Logger({ level: "error", format: "json", write: () => undefined }),
  });
  outcome = receiver.run();
  await settle();
}

/** In place of the first attempt: one that goes on behind the first chunk. */
async function resume(): Promise<void> {
  receiver.lose();
  await outcome;
  part.bytes = BYTES.slice(0, CHUNK);
  part.synced = CHUNK;
  const source = { identity: IDENTITY, totalSize: BYTES.length, chunkSize: CHUNK };
  const download = claim(newDownload("id", order("site-1", "a.bin"), NOW), NOW);
  await receive({ ...download, source, durableOffset: CHUNK });
}

afterEach(async () => {
  receiver.lose();
  jest.useRealTimers();
  await outcome;
  expect(part.closed).toBe(true);
  expect(pool.outstanding, "all credit is given back").toBe(0);
});

/** Lets everything happen that waits for no clock. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await Promise.resolve();
}

/** Lets a time pass, with the look that is taken at each receiver every 5 s. */
async function pass(seconds: number): Promise<void> {
  for (let second = 1; second <= seconds; second++) {
    jest.advanceTimersByTime(1000);
    await settle();
    if (second % 5 === 0) receiver.checkStalled();
  }
}

const start = (offset = 0) =>
  receiver.onMessage({
    type: "file_start",
    stream: 1,
    epoch: 1,
    identity: IDENTITY,
    total_size: BYTES.length,
    offset,
  });

const proving = (offset: number) =>
  receiver.onMessage({ type: "proving", stream: 1, epoch: 1, offset });

function sendChunk(offset: number): void {
  const payload = BYTES.subarray(offset, offset + CHUNK);
  const bytes = encodeFrame({ stream: 1, epoch: 1, offset }, payload);
  expect(bytes).toHaveLength(HEADER_BYTES + payload.length);
  receiver.onFrame(decodeFrame(bytes, CHUNK));
}

const complete = () =>
  receiver.onMessage({
    type: "file_complete",
    stream: 1,
    epoch: 1,
    identity: IDENTITY,
    total_size: BYTES.length,
    md5: md5(BYTES),
  });

const STALLED = { type: "failed", problem: { code: "client_timeout" } };

describe("a client that owes an answer for a minute is given up", () => {
  test.each<[string, () => Promise<void>]>([
    ["to the request", async () => undefined],
    ["after file_start", async () => start()],
    [
      "in the middle of the file",
      async () => {
        start();
        await settle();
        sendChunk(0);
      },
    ],
    [
      "when all came but file_complete",
      async () => {
        start();
        await settle();
        for (let offset = 0; offset < BYTES.length; offset += CHUNK) sendChunk(offset);
      },
    ],
  ])("%s", async (_, before) => {
    await before();
    await pass(60);
    expect(told.some(({ type }) => type === "cancel")).toBe(false);
    await pass(10);
    expect(await outcome).toMatchObject(STALLED);
    expect(told.at(-1)).toMatchObject({ type: "cancel" });
  });
});

describe("a client that only seems to be busy is given up as well", () => {
  /** The first chunk comes damaged, and is asked for again. */
  async function damage(): Promise<void> {
    start();
    await settle();
    const bytes = encodeFrame({ stream: 1, epoch: 1, offset: 0 }, BYTES.subarray(0, CHUNK));
    bytes[HEADER_BYTES] = bytes[HEADER_BYTES]! ^ 1;
    receiver.onFrame(decodeFrame(bytes, CHUNK));
  }

  test.each<[string, () => void]>([
    ["with frames behind the one that is wanted again", () => sendChunk(CHUNK)],
    ["by saying that this was all", () => complete()],
  ])("%s", async (_, act) => {
    await damage();
    for (let step = 0; step < 3; step++) {
      act();
      await pass(30);
    }
    expect(await outcome).toMatchObject(STALLED);
  });
});

describe("a slow client", () => {
  const GAVE_WAY = { type: "gave_way", problem: { code: "client_timeout" } };

  test("gives way after 10 s where others wait", async () => {
    othersWait = true;
    start();
    await settle();
    sendChunk(0);
    await pass(5);
    expect(told.at(-1)).toMatchObject({ type: "credit" });
    await pass(10);
    expect(await outcome).toMatchObject(GAVE_WAY);
    expect(await outcome).toMatchObject({
      problem: {
        message: "the client sent 4.0 KiB in 10 s and others wait: it goes on in its turn",
      },
    });
    expect(told.at(-1)).toMatchObject({ type: "cancel" });
    // What came is kept.
    expect(row).toMatchObject({ durableOffset: CHUNK });
  });

  test("gives way as soon as others wait, however long it was alone", async () => {
    start();
    await settle();
    sendChunk(0);
    await pass(50);
    othersWait = true;
    await pass(5);
    expect(await outcome).toMatchObject(GAVE_WAY);
  });

  test("does not give way where an operator wants it slow", async () => {
    othersWait = true;
    receiver.limitRate(200);
    start();
    await settle();
    sendChunk(0);
    await pass(10);
    expect(told.at(-1)).toMatchObject({ type: "credit" });
  });
});

describe("a client that owes nothing is not", () => {
  test("while our own disk is slow", async () => {
    const disk = Promise.withResolvers<void>();
    start();
    await settle();
    part.held = disk.promise;
    for (let offset = 0; offset < BYTES.length; offset += CHUNK) sendChunk(offset);
    complete();
    await pass(300);
    disk.resolve();
    await settle();
    expect(await outcome).toMatchObject({ type: "received", digest: md5(BYTES) });
  });

  test("while it proves what we have, step by step", async () => {
    await resume();
    for (let step = 1; step <= 20; step++) {
      await pass(30);
      proving(step);
    }
    start();
    await settle();
    expect(row.status).toBe("downloading");
    expect(told.at(-1)).toMatchObject({ type: "credit" });
  });

  test("while it reads all of the file once more, step by step", async () => {
    await resume();
    proving(CHUNK);
    start(CHUNK);
    await settle();
    for (let offset = CHUNK; offset < BYTES.length; offset += CHUNK) sendChunk(offset);
    for (let step = 1; step <= 5; step++) {
      await pass(30);
      proving(step);
    }
    complete();
    expect(await outcome).toMatchObject({ type: "received" });
  });

  test("but not while it says to read again a file of which bytes are owed", async () => {
    await resume();
    start(CHUNK);
    await settle();
    for (let step = 1; step <= 3; step++) {
      proving(step);
      await pass(30);
    }
    expect(await outcome).toMatchObject(STALLED);
  });

  test.each([
    ["at the same place again and again", 1],
    ["beyond all that we have", CHUNK + 1],
  ])("but not while it proves %s", async (_, first) => {
    await resume();
    for (let step = 0; step < 3; step++) {
      proving(first);
      await pass(30);
    }
    expect(await outcome).toMatchObject({ type: "failed", problem: { code: "client_timeout" } });
  });
});

describe("what is safe", () => {
  test("is told within 250 ms, and not before it is flushed", async () => {
    start();
    await settle();
    sendChunk(0);
    await settle();
    expect(row).toMatchObject({ durableOffset: 0 });
    jest.advanceTimersByTime(250);
    await settle();
    expect(row).toMatchObject({ durableOffset: CHUNK });
    expect(part.synced).toBe(CHUNK);
  });

  test("is nothing that the disk has not taken yet", async () => {
    start();
    await settle();
    sendChunk(0);
    await settle();
    const disk = Promise.withResolvers<void>();
    part.held = disk.promise;
    sendChunk(CHUNK);
    await settle();
    jest.advanceTimersByTime(250);
    await settle();
    expect(row).toMatchObject({ durableOffset: CHUNK });
    disk.resolve();
  });

  test("is all that arrived, when the connection is lost", async () => {
    start();
    await settle();
    sendChunk(0);
    sendChunk(CHUNK);
    receiver.lose();
    expect(await outcome).toEqual({ type: "lost" });
    expect(row).toMatchObject({ durableOffset: 2 * CHUNK });
    expect(part.bytes).toEqual(BYTES.slice(0, 2 * CHUNK));
  });

  test("is nothing of what came after the row was changed by somebody else", async () => {
    start();
    await settle();
    row = transition(row, { type: "cancelled", now: NOW }).next;
    sendChunk(0);
    await settle();
    jest.advanceTimersByTime(250);
    await settle();
    expect(await outcome).toEqual({ type: "abandoned" });
    expect(row).toMatchObject({ status: "cancelled", durableOffset: 0 });
  });
});

test("a frame that comes with file_start may not reach beyond the file's end", () => {
  // The row does not say yet where it begins, and a whole window is granted.
  receiver.onMessage({
    type: "file_start",
    stream: 1,
    epoch: 1,
    identity: { ...IDENTITY, size: 10 },
    total_size: 10,
    offset: 0,
  });
  expect(() => sendChunk(0)).toThrow(/beyond/);
});
