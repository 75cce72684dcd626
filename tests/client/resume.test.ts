import { describe, expect, test } from "bun:test";
import { decideStart } from "../../lib/client/resume.ts";
import { FdsError } from "../../lib/protocol/errors.ts";
import type { FileIdentity } from "../../lib/protocol/identity.ts";
import type { DownloadRequest } from "../../lib/protocol/messages.ts";
import { Random } from "../support/random.ts";

const MiB = 1024 * 1024;
const FILE = new Random(1).bytes(3 * MiB + 5);
const IDENTITY: FileIdentity = {
  size: FILE.length,
  mtime_ns: "10",
  ctime_ns: "20",
  inode: "30",
  device: "40",
};
const onProgress = () => true;

function md5(bytes: Uint8Array): string {
  return new Bun.CryptoHasher("md5").update(bytes).digest("hex");
}

/** Returns a function that reads a file with these bytes, at most `most` bytes at a time. */
function readerOf(bytes: Uint8Array, most = Infinity) {
  return async (offset: number, length: number) =>
    bytes.slice(offset, offset + Math.min(length, most));
}

/** Returns a request to resume at this offset. Its proof is right, unless `resume` changes it. */
function request(offset: number, resume: Partial<DownloadRequest["resume"]> | null = {}) {
  const proof = {
    prefix_md5: md5(FILE.subarray(0, offset)),
    identity: IDENTITY,
    total_size: FILE.length,
  };
  const made: DownloadRequest = {
    type: "download_request",
    stream: 1,
    epoch: 1,
    download_id: "0198c0de-0000-7000-8000-000000000000",
    file_path: "a.txt",
    chunk_size: 65536,
    offset,
    checksum: "md5",
    max_offset: offset + MiB,
    ...(resume && { resume: { ...proof, ...resume } }),
  };
  return made;
}

describe("resumes", () => {
  test.each([1, MiB - 1, MiB, MiB + 1, 3 * MiB, FILE.length])("at %d", async (offset) => {
    const start = await decideStart(request(offset), IDENTITY, readerOf(FILE), onProgress);
    expect(start).toMatchObject({ offset, totalSize: FILE.length });
    expect(start.reason).toBeUndefined();
    // The hash holds the bytes before the offset. With the rest, it becomes the digest of the whole file.
    expect(start.hash.update(FILE.subarray(offset)).digest("hex")).toBe(md5(FILE));
  });

  test("also when the system reads less than it is asked for", async () => {
    const start = await decideStart(request(70_000), IDENTITY, readerOf(FILE, 1000), onProgress);
    expect(start.offset).toBe(70_000);
  });

  test.each([
    ["was touched", { mtime_ns: "11", ctime_ns: "21" }],
    ["got a hard link, or another name", { ctime_ns: "21" }],
    ["has another time, as a network share tells it", { mtime_ns: "10" }],
  ])("a file that %s, by the identity that the server knows", async (_, times) => {
    const now = { ...IDENTITY, ...times };
    const start = await decideStart(request(MiB), now, readerOf(FILE), onProgress);
    expect(start).toMatchObject({ offset: MiB, identity: IDENTITY });
    expect(start.reason).toBeUndefined();
  });

  test("a file that grew, at the size that it had at first", async () => {
    const grown = new Uint8Array([...FILE.subarray(0, MiB), 1, 2, 3]);
    const identity = { ...IDENTITY, size: MiB, mtime_ns: "5" };
    const now = { ...identity, size: grown.length, mtime_ns: "99", ctime_ns: "99" };
    const asked = request(MiB, { identity, total_size: MiB });
    const start = await decideStart(asked, now, readerOf(grown), onProgress);
    expect(start).toMatchObject({ offset: MiB, totalSize: MiB });
  });
});

describe("starts over", () => {
  const changed = FILE.slice();
  changed[12_345] = changed[12_345]! ^ 1;

  test.each<[string, DownloadRequest, FileIdentity, Uint8Array, RegExp | undefined]>([
    ["when nothing is there yet", request(0, null), IDENTITY, FILE, undefined],
    ["when nothing is there yet, whatever the proof", request(0), IDENTITY, FILE, undefined],
    ["without a proof", request(MiB, null), IDENTITY, FILE, /no proof/],
    ["when a byte of the prefix differs", request(MiB), IDENTITY, changed, /first bytes/],
    [
      "when the server has other bytes",
      request(MiB, { prefix_md5: md5(FILE) }),
      IDENTITY,
      FILE,
      /first bytes/,
    ],
    [
      "at an offset behind the size that it was said to have",
      request(MiB, { total_size: 0 }),
      IDENTITY,
      FILE,
      /more than it says/,
    ],
    ["at an offset behind the end", request(9 * MiB), IDENTITY, FILE, /shorter/],
    ["when the file is another one", request(MiB), { ...IDENTITY, inode: "31" }, FILE, /changed/],
    ["on another device", request(MiB), { ...IDENTITY, device: "41" }, FILE, /changed/],
    [
      "when it was written to, and its mtime set back",
      request(MiB),
      { ...IDENTITY, ctime_ns: "21" },
      changed,
      /first bytes/,
    ],
    [
      "when it became shorter",
      request(MiB),
      { ...IDENTITY, size: 2 * MiB },
      FILE.subarray(0, 2 * MiB),
      /changed/,
    ],
  ])("%s", async (_, asked, identity, bytes, reason) => {
    const start = await decideStart(asked, identity, readerOf(bytes), onProgress);
    expect(start).toMatchObject({ offset: 0, totalSize: identity.size, identity });
    if (reason) expect(start.reason).toMatch(reason);
    else expect(start.reason).toBeUndefined();
    expect(start.hash.update(bytes).digest("hex")).toBe(md5(bytes));
  });
});

test("a long reading tells how far it is, and ends when nobody wants it any more", async () => {
  const offsets: number[] = [];
  const start = decideStart(request(3 * MiB), IDENTITY, readerOf(FILE), (offset) => {
    offsets.push(offset);
    return offset < 2 * MiB;
  });
  await expect(start).rejects.toBeInstanceOf(FdsError);
  expect(offsets).toEqual([MiB, 2 * MiB]);
});

test("a file that cannot be read is an error, not a reason to start over", async () => {
  const read = () => Promise.reject(new Error("EIO"));
  const start = decideStart(request(MiB), IDENTITY, read, onProgress);
  await expect(start).rejects.toThrow("EIO");
});
