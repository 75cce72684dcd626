import { describe, expect, jest, test } from "bun:test";
import { HEADER_BYTES, decodeFrame, encodeFrame } from "../../../lib/protocol/frame.ts";
import { newDownload } from "../../../lib/server/download.ts";
import { claim, NOW, order } from "../../support/downloads.ts";
import {
  BYTES,
  CHUNK,
  given,
  IDENTITY,
  outcome,
  part,
  receive,
  receiver,
  sendChunk,
  settle,
  start,
  told,
  useFileReceiver,
} from "../../support/file-receiver.ts";
import { md5 } from "../../support/scripted-client.ts";

useFileReceiver();

/* The receiver gives up a client that does not answer in time, and keeps one that is only slow. */

/** Replaces the first attempt by one that continues after the first chunk. */
async function resume(): Promise<void> {
  receiver.lose();
  await outcome;
  part.bytes = BYTES.slice(0, CHUNK);
  part.synced = CHUNK;
  const source = { identity: IDENTITY, totalSize: BYTES.length, chunkSize: CHUNK };
  const download = claim(newDownload("id", order("site-1", "a.bin"), NOW), NOW);
  await receive({ ...download, source, durableOffset: CHUNK });
}

/** Advances the clock by some seconds, and checks for stalls every 5 s, as the server does. */
async function pass(seconds: number): Promise<void> {
  for (let second = 1; second <= seconds; second++) {
    jest.advanceTimersByTime(1000);
    await settle();
    if (second % 5 === 0) receiver.checkStalled();
  }
}

const proving = (offset: number) =>
  receiver.onMessage({ type: "proving", stream: 1, epoch: 1, offset });

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
  /** Sends the first chunk damaged, so that the receiver asks for it again. */
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
    given.othersWait = true;
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
    // The bytes that have arrived are kept.
    expect(given.row).toMatchObject({ durableOffset: CHUNK });
  });

  test("gives way as soon as others wait, however long it was alone", async () => {
    start();
    await settle();
    sendChunk(0);
    await pass(50);
    given.othersWait = true;
    await pass(5);
    expect(await outcome).toMatchObject(GAVE_WAY);
  });

  test("does not give way where an operator wants it slow", async () => {
    given.othersWait = true;
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
    expect(given.row.status).toBe("downloading");
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
