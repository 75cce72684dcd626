import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BlockReader } from "../../lib/client/block-reader.ts";
import type { SourceFile } from "../../lib/client/owner-rules/source-file.ts";
import { decodeFrame, encodeInPlace } from "../../lib/protocol/frame.ts";

const CONTENT = Buffer.from("0123456789abcdefghijklmnopqrstuvwxyz");
let folder: string;
let file: SourceFile;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-block-reader-"));
  const path = join(folder, "file");
  await writeFile(path, CONTENT);
  const handle = await open(path);
  file = {
    fd: handle.fd,
    identity: () => Promise.reject(new Error("not asked for")),
    hasName: () => Promise.reject(new Error("not asked for")),
    close: () => handle.close(),
  };
});
afterAll(async () => {
  await file.close();
  await rm(folder, { recursive: true });
});

/** Returns a reader of the file in blocks of 10 bytes. The last block may be shorter. */
function reader(): BlockReader {
  return new BlockReader(file, (offset) => Math.min(10, CONTENT.length - offset));
}

test("gives a file block by block, each with room for its header", async () => {
  const blocks = reader();
  const given = [];
  for (let offset = 0; offset < CONTENT.length;) {
    const block = await blocks.blockAt(offset);
    const frame = decodeFrame(encodeInPlace({ stream: 1, epoch: 1, offset }, block), 10);
    expect(frame).toMatchObject({ offset, intact: true });
    given.push(Buffer.from(frame.payload));
    offset += block.length;
  }
  expect(given.map((block) => block.length)).toEqual([10, 10, 10, 6]);
  expect(Buffer.concat(given)).toEqual(CONTENT);
  await blocks.close();
});

test("reads what lies elsewhere when that is wanted, not what it read ahead", async () => {
  const blocks = reader();
  const at = async (offset: number) => Buffer.from(await blocks.blockAt(offset)).toString();
  expect(await at(0)).toBe("0123456789");
  expect(await at(5)).toBe("56789abcde");
  expect(await at(5)).toBe("56789abcde");
  expect(await at(15)).toBe("fghijklmno");
  await blocks.close();
});

test("gives its memory back when it is closed", async () => {
  const blocks = reader();
  const block = await blocks.blockAt(0);
  await blocks.close();
  expect(block.length).toBe(0);
});

test("rejects where nothing can be read", async () => {
  const blocks = new BlockReader({ ...file, fd: -1 }, () => 10);
  await expect(blocks.blockAt(0)).rejects.toThrow("fd");
  await blocks.close();
});
