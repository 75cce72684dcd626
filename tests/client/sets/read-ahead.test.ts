import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { closeSync, openSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ReadAhead } from "../../../lib/client/sets/read-ahead.ts";

const MiB = 1024 ** 2;

/** Files that are open, each with bytes of its own. */
async function openFiles(...sizes: number[]) {
  const folder = await mkdtemp(join(tmpdir(), "fds-read-ahead-"));
  const files = sizes.map((size, n) => {
    const bytes = randomBytes(size);
    writeFileSync(join(folder, `${n}`), bytes);
    return { fd: openSync(join(folder, `${n}`), "r"), size, bytes };
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
    await reading.leave(fd);
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
