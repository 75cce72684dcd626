import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { closeSync, openSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ReadAhead } from "../../../lib/client/sets/read-ahead.ts";

const MiB = 1024 ** 2;

/** Makes and opens files of these sizes, with random bytes. */
async function openFiles(...sizes: number[]) {
  const folder = await mkdtemp(join(tmpdir(), "fds-read-ahead-"));
  const files = sizes.map((size, n) => {
    const bytes = randomBytes(size);
    const path = join(folder, `${n}`);
    writeFileSync(path, bytes);
    return { path, fd: openSync(path, "r"), size, bytes };
  });
  return {
    files,
    [Symbol.asyncDispose]: async () => {
      for (const { fd } of files) closeSync(fd);
      await rm(folder, { recursive: true });
    },
  };
}

test("blocks come whole and in their order, from one file after the other", async () => {
  await using opened = await openFiles(2 * MiB + 7, 100_000, MiB);
  using reading = new ReadAhead();
  for (const [n, { fd, size, bytes }] of opened.files.entries()) {
    const blocks: Buffer[] = [];
    for (let offset = 0; offset < size;) {
      const block = await reading.blockAt({ fd, offset, size });
      offset += block.length;
      const next = opened.files[n + 1];
      if (offset < size) reading.begin({ fd, offset, size });
      else if (next) reading.begin({ fd: next.fd, offset: 0, size: next.size });
      blocks.push(Buffer.from(block));
    }
    expect(Buffer.concat(blocks).equals(bytes)).toBe(true);
    await reading.finishReading(fd);
  }
});

test("another block than the one that was read ahead is the wanted one, too", async () => {
  await using opened = await openFiles(3 * MiB, 50_000);
  const [large, small] = opened.files;
  if (!large || !small) throw new Error("two files are needed");
  using reading = new ReadAhead();
  reading.begin({ fd: large.fd, offset: MiB, size: large.size });
  const other = await reading.blockAt({ fd: small.fd, offset: 10, size: small.size });
  expect(small.bytes.subarray(10).equals(other)).toBe(true);
  const back = await reading.blockAt({ fd: large.fd, offset: 5, size: large.size });
  expect(large.bytes.subarray(5, 5 + MiB).equals(back)).toBe(true);
  expect(await reading.blockAt({ fd: small.fd, offset: 50_000, size: 60_000 })).toHaveLength(0);
});

test("a block stays as it is while the one after it is read", async () => {
  await using opened = await openFiles(3 * MiB);
  const [file] = opened.files;
  if (!file) throw new Error("a file is needed");
  using reading = new ReadAhead();
  const { fd, size, bytes } = file;
  const first = await reading.blockAt({ fd, offset: 0, size });
  reading.begin({ fd, offset: MiB, size });
  const second = await reading.blockAt({ fd, offset: MiB, size });
  expect(bytes.subarray(0, MiB).equals(first)).toBe(true);
  expect(bytes.subarray(MiB, 2 * MiB).equals(second)).toBe(true);
});

test("nothing of a file that was left comes for another one with its number", async () => {
  await using opened = await openFiles(MiB);
  const [former] = opened.files;
  if (!former) throw new Error("a file is needed");
  await using later = await openFiles(MiB);
  const [next] = later.files;
  if (!next) throw new Error("a file is needed");
  using reading = new ReadAhead();
  const place = { fd: former.fd, offset: 0, size: MiB };
  reading.begin(place);
  await reading.finishReading(former.fd);
  closeSync(former.fd);
  // Opens files until the system reuses the descriptor number of the closed file.
  const numbers: number[] = [];
  while (numbers.at(-1) !== former.fd) numbers.push(openSync(next.path, "r"));
  expect(next.bytes.equals(await reading.blockAt(place))).toBe(true);
  for (const other of numbers.slice(0, -1)) closeSync(other);
});
