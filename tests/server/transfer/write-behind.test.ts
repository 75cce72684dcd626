import { expect, test } from "bun:test";
import { WriteBehind } from "../../../lib/server/transfer/write-behind.ts";

test("work is done in its order, one piece at a time, and whoever hands it over goes on", async () => {
  const behind = new WriteBehind();
  expect(behind.pending).toBeUndefined();
  const did: string[] = [];
  const first = Promise.withResolvers<void>();
  expect(behind.add(() => first.promise.then(() => void did.push("first")))).toBeUndefined();
  expect(behind.add(async () => void did.push("second"))).toBeUndefined();
  const pending = behind.pending;
  expect(pending).toBeDefined();
  expect(did).toEqual([]);
  first.resolve();
  await pending;
  expect(did).toEqual(["first", "second"]);
  expect(behind.pending).toBeUndefined();
});

test("where much work waits, whoever hands over more has to wait for it", async () => {
  const behind = new WriteBehind();
  const disk = Promise.withResolvers<void>();
  let full: Promise<void> | undefined;
  let taken = 0;
  for (; full === undefined && taken < 1_000; taken++) full = behind.add(() => disk.promise);
  expect(taken).toBeLessThan(100);
  let isOver = false;
  const waiting = full?.then(() => (isOver = true));
  await Bun.sleep(0);
  expect(isOver).toBe(false);
  disk.resolve();
  await waiting;
  expect(isOver).toBe(true);
});

test("after an error no more is done, and everybody who waits hears of it", async () => {
  const behind = new WriteBehind();
  const did: string[] = [];
  void behind.add(() => Promise.reject(new Error("the disk is full")));
  void behind.add(async () => void did.push("behind it"));
  await behind.over();
  expect(behind.pending).toBeDefined();
  await expect(behind.pending).rejects.toThrow("the disk is full");
  void behind.add(async () => void did.push("later"));
  await behind.over();
  await expect(behind.pending).rejects.toThrow("the disk is full");
  expect(did).toEqual([]);
});
