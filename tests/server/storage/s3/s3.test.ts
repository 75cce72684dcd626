import { expect, test } from "bun:test";
import { openS3Storage } from "../../../../lib/server/storage/s3/s3.ts";
import type { Storage } from "../../../../lib/server/storage/storage.ts";
import { Random } from "../../../support/random.ts";
import { optionsFor, TemporaryS3 } from "../../../support/s3-storage.ts";
import { waitFor } from "../../../support/wait.ts";
import { setsContract } from "../sets.contract.ts";
import { fillPart, published, storageContract } from "../storage.contract.ts";

const SEGMENT = 64 * 1024;
const PATH = "site-1/20250102_030405_a.txt";
const PARTS = "some/where/.server/parts/";

const open = () => TemporaryS3.open({ segment: SEGMENT });

storageContract("S3", open);
setsContract("S3", open);

/** Writes pieces one after the other, each made safe by itself. */
async function writeInTails(storage: Storage, id: string, bytes: Uint8Array, sizes: number[]) {
  const part = await storage.openPart(id);
  let at = 0;
  for (const size of sizes) {
    await part.write(bytes.subarray(at, at + size), at);
    await part.sync();
    at += size;
  }
  await part.close();
}

test("a file of any number of segments and tails is published whole, and nothing is left", async () => {
  await using temporary = await TemporaryS3.open({ segment: 100 });
  const { storage, s3 } = temporary;
  const random = new Random(7);
  for (let round = 0; round < 60; round++) {
    const sizes = Array.from({ length: random.int(0, 12) }, () => random.int(0, 250));
    const bytes = random.bytes(sizes.reduce((sum, size) => sum + size, 0));
    const id = Bun.randomUUIDv7();
    const path = `site-1/${round}`;
    await writeInTails(storage, id, bytes, sizes);
    expect(await storage.publish(id, path)).toBe(true);
    expect(await published(storage, path)).toEqual(bytes);
  }
  expect(s3.keys.filter((key) => key.includes(".server"))).toEqual([]);
  expect(s3.uploads.size).toBe(0);
});

test("a part goes on in another process from where it was safe, what was not is gone", async () => {
  await using temporary = await TemporaryS3.open({ segment: 100 });
  const bytes = new Random(1).bytes(1000);
  const id = Bun.randomUUIDv7();
  const before = await temporary.storage.openPart(id);
  await before.write(bytes.subarray(0, 250), 0);
  await before.sync();
  await before.write(bytes.subarray(250, 290), 250);
  // The process is killed: the tail was never an object.
  const again = await openS3Storage(temporary.options);
  const part = await again.openPart(id);
  expect(part.size).toBe(250);
  expect(await part.read(0, 1000)).toEqual(bytes.subarray(0, 250));
  await part.write(bytes.subarray(250), 250);
  await part.sync();
  await part.close();
  expect(await again.publish(id, PATH)).toBe(true);
  expect(await published(again, PATH)).toEqual(bytes);
});

test("a part is cut in the middle of a piece, and goes on there", async () => {
  await using temporary = await TemporaryS3.open({ segment: 100 });
  const { storage } = temporary;
  const bytes = new Random(2).bytes(300);
  const id = Bun.randomUUIDv7();
  await fillPart(storage, id, bytes);
  const part = await storage.openPart(id);
  await part.truncate(130);
  expect(part.size).toBe(130);
  await part.write(bytes.subarray(130, 230), 130);
  await part.sync();
  expect(await part.read(0, 300)).toEqual(bytes.subarray(0, 230));
  await part.close();
  await storage.publish(id, PATH);
  expect(await published(storage, PATH)).toEqual(bytes.subarray(0, 230));
});

test("who lost a part and still writes to it changes nothing of who has it now", async () => {
  await using temporary = await TemporaryS3.open({ segment: 100 });
  const [old, current] = [new Random(3).bytes(300), new Random(4).bytes(300)];
  const id = Bun.randomUUIDv7();
  const frozen = await temporary.storage.openPart(id);
  await frozen.write(old.subarray(0, 120), 0);
  await frozen.sync();
  const other = await openS3Storage(temporary.options);
  const part = await other.openPart(id);
  await part.truncate(0);
  await part.write(current, 0);
  await part.sync();
  // It wakes.
  await frozen.write(old.subarray(120), 120);
  await frozen.sync();
  expect(await part.read(0, 300)).toEqual(current);
  await part.close();
  expect(await other.publish(id, PATH)).toBe(true);
  expect(await published(other, PATH)).toEqual(current);
});

/** A part of which some segments are safe, in a run that is open. */
async function openRun(temporary: TemporaryS3, id: string, bytes: Uint8Array, safe: number) {
  const part = await temporary.storage.openPart(id);
  await part.write(bytes, 0);
  await waitFor(async () => (await part.checkpoint(bytes.length)) === safe, "segments to be safe");
  return part;
}

test("segments that are safe outlive the process, whatever it still sends", async () => {
  await using temporary = await TemporaryS3.open({ segment: 100 });
  const { s3, options } = temporary;
  const bytes = new Random(11).bytes(1000);
  const id = Bun.randomUUIDv7();
  const frozen = await openRun(temporary, id, bytes.subarray(0, 350), 300);
  const other = await openS3Storage(options);
  const part = await other.openPart(id);
  expect(part.size).toBe(300);
  expect(await part.read(0, 1000)).toEqual(bytes.subarray(0, 300));
  // It wakes, and writes something else.
  const late = frozen.write(new Uint8Array(250), 350).then(() => frozen.sync());
  await expect(late).rejects.toMatchObject({ code: "storage_error" });
  await frozen.close();
  await part.write(bytes.subarray(300), 300);
  await part.sync();
  await part.close();
  expect(await other.publish(id, PATH)).toBe(true);
  expect(await published(other, PATH)).toEqual(bytes);
  expect(s3.keys).toEqual([`some/where/${PATH}`]);
  expect(s3.uploads.size).toBe(0);
});

test("a segment is safe once S3 has it, and all before it", async () => {
  await using temporary = await TemporaryS3.open({ segment: 100 });
  const { s3, storage } = temporary;
  const { promise, resolve } = Promise.withResolvers<void>();
  s3.fault = async (request) => {
    if (request.includes("partNumber=1&")) await promise;
    return null;
  };
  const part = await storage.openPart(Bun.randomUUIDv7());
  await part.write(new Uint8Array(300), 0);
  // It waits until one of the others is stored.
  expect(await part.checkpoint(300)).toBe(0);
  resolve();
  await waitFor(async () => (await part.checkpoint(300)) === 300, "the first one to be stored");
  await part.close();
});

test("a part with a run that is open is removed with it", async () => {
  await using temporary = await TemporaryS3.open({ segment: 100 });
  const id = Bun.randomUUIDv7();
  const part = await openRun(temporary, id, new Uint8Array(250), 200);
  await part.close();
  expect(temporary.s3.uploads.size).toBe(1);
  await temporary.storage.removePart(id);
  expect(temporary.s3.uploads.size).toBe(0);
  expect(temporary.s3.keys).toEqual([]);
});

test("a run of which nothing is safe is forgotten", async () => {
  await using temporary = await TemporaryS3.open({ segment: 100 });
  const { s3, storage, options } = temporary;
  const id = Bun.randomUUIDv7();
  s3.fault = (request) =>
    request.includes("partNumber=") ? { status: 403, code: "AccessDenied" } : null;
  const part = await storage.openPart(id);
  await part.write(new Uint8Array(100), 0);
  await expect(part.sync()).rejects.toMatchObject({ code: "storage_error" });
  await part.close();
  s3.fault = () => null;
  const again = await (await openS3Storage(options)).openPart(id);
  expect(again.size).toBe(0);
  expect(s3.uploads.size).toBe(0);
});

test("what a run is cut to holds for every process, and for what is published", async () => {
  await using temporary = await TemporaryS3.open({ segment: 100 });
  const { options } = temporary;
  const bytes = new Random(12).bytes(500);
  const id = Bun.randomUUIDv7();
  await fillPart(temporary.storage, id, bytes);
  const first = await (await openS3Storage(options)).openPart(id);
  await first.truncate(230);
  await first.truncate(170);
  expect(first.size).toBe(170);
  // The process is killed.
  const other = await openS3Storage(options);
  const part = await other.openPart(id);
  expect(await part.read(0, 1000)).toEqual(bytes.subarray(0, 170));
  const rest = new Random(13).bytes(280);
  await part.write(rest, 170);
  await part.sync();
  await part.close();
  expect(await other.publish(id, PATH)).toBe(true);
  const expected = Buffer.concat([bytes.subarray(0, 170), rest]);
  expect(Buffer.from((await published(other, PATH)) ?? []).equals(expected)).toBe(true);
});

test("what came without a break is stored once, and gets its name by one copy", async () => {
  await using temporary = await TemporaryS3.open({ segment: 100 });
  const { s3, storage } = temporary;
  const id = Bun.randomUUIDv7();
  await fillPart(storage, id, new Random(14).bytes(777));
  const before = s3.requests.length;
  expect(s3.requests.filter((request) => request.includes("partNumber="))).toHaveLength(8);
  expect(await storage.publish(id, PATH)).toBe(true);
  const puts = s3.requests.slice(before).filter((request) => request.startsWith("PUT"));
  expect(puts).toEqual([`PUT some/where/${PATH}`]);
});

test("an S3 that cannot copy to a new name alone makes the file of parts", async () => {
  await using temporary = await TemporaryS3.open({ segment: 100 });
  const { s3, storage } = temporary;
  const bytes = new Random(15).bytes(777);
  const id = Bun.randomUUIDv7();
  await fillPart(storage, id, bytes);
  s3.fault = (request) =>
    request === `PUT some/where/${PATH}` ? { status: 501, code: "NotImplemented" } : null;
  expect(await storage.publish(id, PATH)).toBe(true);
  expect(await published(storage, PATH)).toEqual(bytes);
  expect(s3.uploads.size).toBe(0);
});

test("a tail is made safe once it is a second old, full segments at once", async () => {
  let now = 0;
  await using temporary = await TemporaryS3.open({ segment: 100, now: () => now });
  const part = await temporary.storage.openPart(Bun.randomUUIDv7());
  await part.write(new Uint8Array(250), 0);
  const first = await part.checkpoint(250);
  expect(first % 100).toBe(0);
  await part.sync();
  await part.write(new Uint8Array(10), 250);
  expect(await part.checkpoint(260)).toBe(250);
  now = 1_000;
  expect(await part.checkpoint(260)).toBe(250 + 10);
  await part.close();
});

test("a memory smaller than a segment makes smaller pieces, and holds nothing up", async () => {
  await using temporary = await TemporaryS3.open({ segment: 1000, memory: 300, now: () => 0 });
  const { storage } = temporary;
  const bytes = new Random(10).bytes(5_000);
  const ids = [Bun.randomUUIDv7(), Bun.randomUUIDv7(), Bun.randomUUIDv7()];
  await Promise.all(
    ids.map(async (id) => {
      const part = await storage.openPart(id);
      for (let at = 0; at < bytes.length; at += 70)
        await part.write(bytes.subarray(at, at + 70), at);
      await part.sync();
      await part.close();
    }),
  );
  for (const id of ids) {
    expect(await storage.publish(id, `site-1/${id}`)).toBe(true);
    expect(await published(storage, `site-1/${id}`)).toEqual(bytes);
  }
});

test("what waits for S3 is bounded by the memory, and all of it is given back", async () => {
  await using temporary = await TemporaryS3.open({ segment: 100, memory: 300 });
  const { s3, storage } = temporary;
  const isSegment = (request: string) => request.includes("partNumber=");
  const { promise, resolve } = Promise.withResolvers<void>();
  s3.fault = async (request) => {
    if (isSegment(request)) await promise;
    return null;
  };
  const bytes = new Random(5).bytes(1000);
  const id = Bun.randomUUIDv7();
  const part = await storage.openPart(id);
  let isWritten = false;
  const writing = part.write(bytes, 0).then(() => (isWritten = true));
  await waitFor(
    () => s3.requests.filter(isSegment).length === 3,
    "as many segments as memory holds",
  );
  expect(part.size).toBe(300);
  expect(isWritten).toBe(false);
  resolve();
  await writing;
  await part.sync();
  await part.close();
  expect(await storage.publish(id, PATH)).toBe(true);
  expect(await published(storage, PATH)).toEqual(bytes);
});

test.each([
  ["that a run is one object", [500], /^POST .*-run-.*uploadId/],
  ["that a run has its name", [500], /^PUT some\/where\/site-1/],
  ["that pieces are one object", [100, 50, 350], /^POST some\/where\/site-1.*uploadId/],
])("an answer that is lost, %s, does not publish twice", async (_, sizes, lost) => {
  await using temporary = await TemporaryS3.open({ segment: 100 });
  const { s3, storage } = temporary;
  const bytes = new Random(6).bytes(500);
  const id = Bun.randomUUIDv7();
  let isCut = false;
  s3.fault = (request) => {
    // It is done, and the answer breaks off.
    if (isCut || !lost.test(request)) return null;
    isCut = true;
    return "cut";
  };
  await writeInTails(storage, id, bytes, sizes);
  expect(await storage.publish(id, PATH)).toBe(true);
  expect(isCut).toBe(true);
  expect(await published(storage, PATH)).toEqual(bytes);
  expect(await storage.listParts()).toEqual([]);
});

test("a publishing that was cut short leaves no upload behind once it is done again, or removed", async () => {
  for (const isRemoved of [false, true]) {
    await using temporary = await TemporaryS3.open({ segment: 100 });
    const { s3, storage } = temporary;
    const bytes = new Random(8).bytes(500);
    const id = Bun.randomUUIDv7();
    await writeInTails(storage, id, bytes, [100, 50, 350]);
    // All that follows the first copied part fails, the abort too, as when the process is killed.
    let isDead = false;
    s3.fault = (request) => {
      isDead ||= request.includes("partNumber=2");
      return isDead ? { status: 403, code: "AccessDenied" } : null;
    };
    await expect(storage.publish(id, PATH)).rejects.toMatchObject({ code: "storage_error" });
    expect(s3.uploads.size).toBe(1);
    s3.fault = () => null;
    const again = await openS3Storage(temporary.options);
    if (isRemoved) await again.removePart(id);
    else expect(await again.publish(id, PATH)).toBe(true);
    expect(s3.uploads.size).toBe(0);
    expect(s3.keys).toEqual(isRemoved ? [] : [`some/where/${PATH}`]);
  }
});

test("a file is read by ranges, and a connection that breaks is not seen", async () => {
  await using temporary = await open();
  const { s3, storage } = temporary;
  const bytes = new Random(9).bytes(5 * SEGMENT + 17);
  const id = Bun.randomUUIDv7();
  await fillPart(storage, id, bytes);
  await storage.publish(id, PATH);
  let times = 0;
  s3.fault = (request) => (request.startsWith("GET") && times++ % 2 === 0 ? "cut" : null);
  const file = await storage.openFile(PATH);
  expect(await file?.slice(3, 4 * SEGMENT).bytes()).toEqual(bytes.subarray(3, 4 * SEGMENT));
  expect(times).toBeGreaterThan(1);
});

test("keys of what is under way have the prefix and the download, and no secret is told", async () => {
  await using temporary = await open();
  const id = Bun.randomUUIDv7();
  await fillPart(temporary.storage, id, new Uint8Array(10));
  expect(temporary.s3.keys.every((key) => key.startsWith(`${PARTS}${id}/`))).toBe(true);
  temporary.s3.fault = () => ({ status: 403, code: "AccessDenied" });
  const problem = await temporary.storage.openPart(id).catch((error: unknown) => error);
  expect(String(problem)).toBe("FdsError: cannot open the part: S3: AccessDenied (403)");
  expect(Bun.inspect(problem)).not.toContain(temporary.s3.secretAccessKey);
});

test("a bucket that cannot be used is told at the start, with the cause", async () => {
  await using temporary = await open();
  const options = optionsFor(temporary.s3);
  for (const [wrong, message] of [
    [{ bucket: "other" }, "cannot use the bucket: S3: NoSuchBucket (404)"],
    [{ secretAccessKey: "wrong" }, "cannot use the bucket: S3: SignatureDoesNotMatch (403)"],
  ] as const) {
    await expect(openS3Storage({ ...options, ...wrong })).rejects.toThrow(message);
  }
});
