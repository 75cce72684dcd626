import { describe, expect, test } from "bun:test";
import { decodeFrame, encodeFrame, type Frame } from "../../../lib/protocol/frame.ts";
import { Decompressor } from "../../../lib/server/transfer/decompressor.ts";
import { Random } from "../../support/random.ts";
import { logLines } from "../../support/sources.ts";

const MiB = 1024 * 1024;
const TEXT = logLines(new Random(3), 64 * 1024);

/**
 * Returns a received frame. @param packed what the client sends as the compressed form of the bytes; null:
 * none
 */
function arrived(offset: number, raw: Uint8Array, packed: Uint8Array | null): Frame {
  return decodeFrame(encodeFrame({ stream: 1, epoch: 1, offset }, raw, packed), 8 * MiB);
}

const zstd = (bytes: Uint8Array) => Bun.zstdCompressSync(bytes, { level: 1 });

/** Decompresses some frames. @returns the resulting bytes, and the offsets of damaged frames */
async function outOf(frames: Frame[]): Promise<{ bytes: Uint8Array[]; damagedAt: number[] }> {
  const bytes: Uint8Array[] = [];
  const damagedAt: number[] = [];
  const decompressor = new Decompressor({
    onBytes: (part) => bytes.push(part),
    onDamaged: ({ offset }) => damagedAt.push(offset),
  });
  for (const frame of frames) decompressor.take(frame);
  await decompressor.settled();
  expect(decompressor.isIdle).toBe(true);
  return { bytes, damagedAt };
}

test.each([1, 2, 3])("gives a file out in order, compressed or not (seed %d)", async (seed) => {
  const random = new Random(seed);
  const file = Buffer.concat([logLines(random, 300_000), random.bytes(100_000)]);
  const frames: Frame[] = [];
  for (let offset = 0; offset < file.length;) {
    const raw = file.subarray(offset, offset + random.int(1, 40_000));
    const packed = zstd(raw);
    const isCompressed = packed.length < raw.length && random.float() < 0.7;
    frames.push(arrived(offset, raw, isCompressed ? packed : null));
    offset += raw.length;
  }
  const { bytes, damagedAt } = await outOf(frames);
  expect(damagedAt).toEqual([]);
  expect(Buffer.concat(bytes).equals(file)).toBe(true);
});

test("gives raw bytes out at once, as long as nothing is in front of them", () => {
  const given: Uint8Array[] = [];
  const decompressor = new Decompressor({
    onBytes: (bytes) => given.push(bytes),
    onDamaged: () => undefined,
  });
  decompressor.take(arrived(0, TEXT, null));
  expect(given).toEqual([TEXT]);
});

describe("takes for damaged, with nothing of it given out,", () => {
  const longer = Buffer.concat([TEXT, Buffer.from("x")]);
  const packed = zstd(TEXT);
  test.each<[string, Uint8Array]>([
    ["more bytes than the header says", zstd(longer)],
    ["far more bytes than that", zstd(new Uint8Array(256 * MiB))],
    ["fewer bytes", zstd(TEXT.subarray(1))],
    ["as many bytes, but others", zstd(TEXT.toReversed())],
    ["what is no zstd", new Uint8Array(100).fill(7)],
    ["a payload that was cut short", packed.subarray(0, -3)],
    ["something behind it", Buffer.concat([packed, Buffer.from("xx")])],
  ])("%s", async (_, lie) => {
    const given = await outOf([arrived(0, TEXT, lie), arrived(TEXT.length, TEXT, null)]);
    expect(given).toEqual({ bytes: [], damagedAt: [0] });
  });

  test("any bit of the payload that is another", async () => {
    const raw = TEXT.subarray(0, 2000);
    const right = zstd(raw);
    for (let bit = 0; bit < right.length * 8; bit += 7) {
      const wrong = right.slice();
      wrong[bit >> 3]! ^= 1 << (bit & 7);
      const { bytes, damagedAt } = await outOf([arrived(0, raw, wrong)]);
      // Some bits have no meaning, so flipping them may leave the bytes intact.
      if (damagedAt.length === 0) expect(bytes, `bit ${bit}`).toEqual([raw]);
      else expect({ bytes, damagedAt }, `bit ${bit}`).toEqual({ bytes: [], damagedAt: [0] });
    }
  });
});

test.each([
  ["takes", 23, [], [0]],
  ["refuses", 27, [0], []],
])("%s what asks for a window of 2^%d bytes", async (_, windowLog, damagedAt, given) => {
  // A compressed frame of RFC 8878 without a content size, with one block that repeats "a" 60,000 times.
  const block = (60_000 << 3) | 0b011;
  const lie = [
    0x28,
    0xb5,
    0x2f,
    0xfd,
    0,
    (windowLog - 10) << 3,
    block,
    block >> 8,
    block >> 16,
    97,
  ];
  const raw = new Uint8Array(60_000).fill(97);
  const out = await outOf([arrived(0, raw, Uint8Array.from(lie))]);
  expect(out).toEqual({ damagedAt, bytes: given.map(() => raw) });
});

test("holds no more memory than the header asks for, whatever the payload would give", async () => {
  const bomb = zstd(new Uint8Array(512 * MiB));
  Bun.gc(true);
  const before = process.memoryUsage.rss();
  await outOf([arrived(0, TEXT, bomb)]);
  expect(process.memoryUsage.rss() - before).toBeLessThan(64 * MiB);
});

test("gives nothing out once it was stopped", async () => {
  const given: unknown[] = [];
  const decompressor = new Decompressor({
    onBytes: (bytes) => given.push(bytes),
    onDamaged: (frame) => given.push(frame),
  });
  decompressor.take(arrived(0, TEXT, zstd(TEXT)));
  decompressor.take(arrived(TEXT.length, TEXT, null));
  decompressor.stop();
  await decompressor.settled();
  expect(given).toEqual([]);
});
