import { describe, expect, jest, test } from "bun:test";
import { transition } from "../../../lib/server/transition.ts";
import { NOW } from "../../support/downloads.ts";
import {
  BYTES,
  CHUNK,
  given,
  IDENTITY,
  outcome,
  part,
  receiver,
  sendChunk,
  settle,
  start,
  useFileReceiver,
} from "../../support/file-receiver.ts";

useFileReceiver();

/* The receiver of a file, with a disk that tests can delay, on a fake clock: durable bytes and timeouts. */

describe("what is safe", () => {
  test("is told within 250 ms, and not before it is flushed", async () => {
    start();
    await settle();
    sendChunk(0);
    await settle();
    expect(given.row).toMatchObject({ durableOffset: 0 });
    jest.advanceTimersByTime(250);
    await settle();
    expect(given.row).toMatchObject({ durableOffset: CHUNK });
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
    expect(given.row).toMatchObject({ durableOffset: CHUNK });
    disk.resolve();
  });

  test("is all that arrived, when the connection is lost", async () => {
    start();
    await settle();
    sendChunk(0);
    sendChunk(CHUNK);
    receiver.lose();
    expect(await outcome).toEqual({ type: "lost" });
    expect(given.row).toMatchObject({ durableOffset: 2 * CHUNK });
    expect(part.bytes).toEqual(BYTES.slice(0, 2 * CHUNK));
  });

  test("is nothing of what came after the row was changed by somebody else", async () => {
    start();
    await settle();
    given.row = transition(given.row, { type: "cancelled", now: NOW }).next;
    sendChunk(0);
    await settle();
    jest.advanceTimersByTime(250);
    await settle();
    expect(await outcome).toEqual({ type: "abandoned" });
    expect(given.row).toMatchObject({ status: "cancelled", durableOffset: 0 });
  });
});

test("a frame that comes with file_start may not reach beyond the file's end", () => {
  // The frame comes before the row has recorded file_start, and lies within the granted window.
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
