import { describe, expect, test } from "bun:test";
import { Compressor } from "../../lib/client/compressor.ts";
import { Random } from "../support/random.ts";
import { logLines } from "../support/sources.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
const CHUNK = 256 * KiB;
const TEXT = logLines(new Random(1), CHUNK);
const NOISE = crypto.getRandomValues(new Uint8Array(64 * KiB));
const NOISY = Buffer.concat(Array.from({ length: CHUNK / NOISE.length }, () => NOISE));

describe("what is compressed", () => {
  test("gives the same bytes again", async () => {
    const packed = await new Compressor().pack(0, TEXT);
    expect(packed!.length).toBeLessThan(TEXT.length / 3);
    expect(Buffer.compare(Bun.zstdDecompressSync(packed!), TEXT)).toBe(0);
  });

  test.each([
    ["bytes that cannot be", NOISE],
    ["a crumb", TEXT.subarray(0, 1000)],
  ])("is not %s", async (_, bytes) => {
    expect(await new Compressor().pack(0, bytes)).toBeNull();
  });
});

/**
 * Returns a compressor whose work advances a fake clock. `clock.tried` counts the bytes that it was given.
 */
function clocked(bytesPerMs: number) {
  const clock = { now: 0, tried: 0 };
  const compressor = new Compressor({
    now: () => clock.now,
    compress: async (bytes) => {
      clock.tried += bytes.length;
      clock.now += bytes.length / bytesPerMs;
      return bytes[0] === NOISY[0] ? bytes : bytes.slice(0, bytes.length / 4);
    },
  });
  return { clock, compressor };
}

/** Sends chunks over a link. @returns for each chunk whether it was compressed */
async function send(
  { clock, compressor }: ReturnType<typeof clocked>,
  chunks: Uint8Array[],
  linkBytesPerMs: number,
): Promise<boolean[]> {
  const done: boolean[] = [];
  let linkFreeAt = clock.now;
  for (const [at, chunk] of chunks.entries()) {
    const packed = await compressor.pack(at * CHUNK, chunk);
    done.push(packed !== null);
    // The link sends one chunk while the next one is compressed.
    clock.now = Math.max(clock.now, linkFreeAt);
    linkFreeAt = clock.now + (packed ?? chunk).length / linkBytesPerMs;
  }
  return done;
}

const share = (done: boolean[]) => done.filter(Boolean).length / done.length;
const chunks = (count: number, chunk: Uint8Array) => Array.from({ length: count }, () => chunk);

describe("on a link that is", () => {
  const COMPRESSOR = 300 * KiB;
  test.each<[string, number, number, number]>([
    ["100 times slower than the compressor, all is", 3 * KiB, 1, 1],
    ["a little slower, nearly all is", 200 * KiB, 0.9, 1],
    ["faster, hardly anything is", 1000 * KiB, 0, 0.15],
  ])("%s compressed", async (_, link, least, most) => {
    const site = clocked(COMPRESSOR);
    const done = await send(site, chunks(4000, TEXT), link);
    expect(share(done)).toBeGreaterThanOrEqual(least);
    expect(share(done)).toBeLessThanOrEqual(most);
  });

  test("fast at first and slow then, it begins to compress", async () => {
    const site = clocked(COMPRESSOR);
    expect((await send(site, chunks(400, TEXT), 1000 * KiB)).at(-1)).toBe(false);
    expect((await send(site, chunks(400, TEXT), 3 * KiB)).at(-1)).toBe(true);
  });
});

describe("a file", () => {
  test("that cannot be compressed is looked at on its first chunks and now and then", async () => {
    const site = clocked(Infinity);
    const done = await send(site, chunks(400, NOISY), 1 * KiB);
    expect(share(done)).toBe(0);
    // 64 KiB are tried at each of 0, 1, 3, 7, 15, 31, 47, 63, 79 and 95 MiB of the 100 MiB.
    expect(site.clock.tried).toBe(10 * 64 * KiB);
  });

  test("of which the second half can be compressed is, at most 16 MiB later", async () => {
    const mixed = [...chunks(200, NOISY), ...chunks(200, TEXT)];
    const done = await send(clocked(Infinity), mixed, 1 * KiB);
    const first = done.indexOf(true);
    expect(first).toBeGreaterThanOrEqual(200);
    expect(first).toBeLessThanOrEqual(200 + (16 * MiB) / CHUNK);
    expect(share(done.slice(first))).toBe(1);
  });
});
