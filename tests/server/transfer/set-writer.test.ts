import { beforeEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import type { SetRecord } from "../../../lib/protocol/set-records.ts";
import { type Answer, SetWriter } from "../../../lib/server/transfer/set-writer.ts";
import type { MemoryPart } from "../../support/memory-storage.ts";
import { MemoryStorage } from "../../support/memory-storage.ts";
import { waitFor } from "../../support/wait.ts";

/* A writer of a set before a disk that keeps it waiting. */

const LARGE = 300_000;

let writer: SetWriter;
/** Indices of files that came, and what was said of them. */
let arrived: number[];
let answers: Answer[];
/** Parts of large files, which are opened before they come. */
let parts: MemoryPart[];
/** The disk goes on. */
let resume: () => void;

beforeEach(async () => {
  const storage = new MemoryStorage();
  const folder = await storage.sets.open("id");
  parts = [await folder.openFile("0"), await folder.openFile("1")];
  const held = Promise.withResolvers<void>();
  for (const part of parts) part.held = held.promise;
  resume = held.resolve;
  arrived = [];
  answers = [];
  let owed = 0;
  writer = new SetWriter({
    folder,
    checksum: "md5",
    expect: (index) => {
      const place = `${index}`;
      return { index, path: place, root: 0, size: LARGE, place, durableOffset: 0 };
    },
    admit: () => undefined,
    onProgress: () => undefined,
    onArrived: () => void arrived.push(owed++),
    onAnswer: (answer) => void answers.push(answer),
  });
});

function recordsOf(index: number, bytes: Uint8Array, isWrong = false): SetRecord[] {
  const pieces = [bytes.subarray(0, 200_000), bytes.subarray(200_000)];
  const digest = Bun.CryptoHasher.hash("md5", isWrong ? "" : bytes, "hex");
  return [
    { type: "start", index, size: bytes.length, mtimeNs: 1n, offset: 0 },
    ...pieces
      .filter(({ length }) => length > 0)
      .map((piece): SetRecord => ({ type: "data", bytes: piece })),
    { type: "end", changed: false, digest },
  ];
}

async function take(records: SetRecord[]): Promise<void> {
  for (const record of records) await writer.take(record);
}

/** Lets everything happen that does not wait for the disk. */
async function settle(): Promise<void> {
  for (let round = 0; round < 20; round++) await Bun.sleep(0);
}

describe("while the disk does not write", () => {
  test("the next bytes are taken, and none counts as written", async () => {
    const bytes = randomBytes(LARGE);
    await take(recordsOf(0, bytes).slice(0, -1));
    expect(writer.writing).toBeDefined();
    expect(writer.current).toMatchObject({ file: { index: 0 }, length: 0 });
    resume();
    await writer.writing;
    expect(writer.current).toMatchObject({ file: { index: 0 }, length: LARGE });
    expect(writer.writing).toBeUndefined();
    expect(bytes.equals(parts[0]!.bytes)).toBe(true);
  });

  test("a file that came whole is not answered, and the next one comes", async () => {
    await take([...recordsOf(0, randomBytes(LARGE)), ...recordsOf(1, randomBytes(LARGE))]);
    expect(arrived).toEqual([0, 1]);
    expect(answers).toEqual([]);
    expect(writer.current).toMatchObject({ file: { index: 0 }, length: 0 });
    resume();
    await writer.writing;
    expect(answers.map(({ type, file }) => [type, file.index])).toEqual([
      ["received", 0],
      ["received", 1],
    ]);
    expect(parts.map(({ closed }) => closed)).toEqual([true, true]);
  });

  test("a small file behind a large one waits for its turn", async () => {
    await take(recordsOf(0, randomBytes(LARGE), true));
    const small = take(recordsOf(2, randomBytes(10)));
    await settle();
    expect(answers).toEqual([]);
    resume();
    await small;
    expect(answers.map(({ type, file }) => [type, file.index])).toEqual([
      ["again", 0],
      ["received", 2],
    ]);
  });

  test("only so many pieces wait for it", async () => {
    const start: SetRecord = { type: "start", index: 0, size: LARGE, mtimeNs: 1n, offset: 0 };
    await take([start]);
    let taken = 0;
    const taking = (async () => {
      for (; taken < 1_000; taken++) await writer.take({ type: "data", bytes: randomBytes(1) });
    })();
    await waitFor(() => taken >= 10, "pieces to be taken");
    await settle();
    expect(taken).toBeLessThan(100);
    resume();
    await taking;
    await writer.writing;
    expect(parts[0]?.size).toBe(1_000);
  });

  test("its bytes are dropped and their file closed only when it is done", async () => {
    await take(recordsOf(0, randomBytes(LARGE)).slice(0, -1));
    const closing = writer.dropUnsafe().then(() => writer.close());
    await settle();
    expect(parts[0]?.closed).toBe(false);
    resume();
    await closing;
    expect(parts[0]).toMatchObject({ size: 0, closed: true });
  });
});

test("a small file that became large keeps its bytes, whatever small file comes behind it", async () => {
  const bytes = randomBytes(LARGE);
  const [start, , rest, end] = recordsOf(0, bytes);
  const taking = take([
    { type: "start", index: 0, size: 200_000, mtimeNs: 1n, offset: 0 },
    { type: "data", bytes: bytes.subarray(0, 200_000) },
    { ...start, offset: 200_000 } as SetRecord,
    rest!,
    end!,
    ...recordsOf(2, randomBytes(1_000)),
  ]);
  await settle();
  resume();
  await taking;
  expect(answers.map(({ type }) => type)).toEqual(["received", "received"]);
  expect(bytes.equals(parts[0]!.bytes)).toBe(true);
});

test("a write that fails behind is told to whoever waits, and nothing is answered", async () => {
  const failure = Promise.reject(new Error("the disk is gone"));
  failure.catch(() => undefined);
  parts[0]!.held = failure;
  await take(recordsOf(0, randomBytes(LARGE)));
  await expect(writer.writing).rejects.toThrow("the disk is gone");
  await expect(take(recordsOf(2, randomBytes(10)))).rejects.toThrow("the disk is gone");
  await writer.settled();
  expect(answers).toEqual([]);
  expect(writer.current).toMatchObject({ file: { index: 0 }, length: 0 });
  await writer.close();
  expect(parts[0]?.closed).toBe(true);
});
