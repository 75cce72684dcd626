import { describe, expect, spyOn, test } from "bun:test";
import { DATA_HEADER_BYTES, type SetRecord } from "../../../lib/protocol/set-records.ts";
import {
  CHUNK,
  data,
  isOver,
  LARGE,
  offset,
  outcome,
  OVER_QUOTA,
  pool,
  QUOTA,
  sendRecords,
  start,
  storage,
  told,
  UNSAFE,
  useSetReceiver,
  wanted,
} from "../../support/set-receiver.ts";

useSetReceiver();

/*
 * The receiver of a set, on a fake clock: files that are larger than listed, and a disk that does not flush.
 */

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
  // The flush ends before the expectations, so that the receiver can end even if one of them fails.
  flushed.resolve();
  expect(most).toBeLessThanOrEqual(UNSAFE + pool.budget);
  expect(flush).toHaveBeenCalledTimes(1);
});
