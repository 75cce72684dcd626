import { expect, test } from "bun:test";
import { openS3Storage } from "../../../../lib/server/storage/s3/s3.ts";
import type { Storage } from "../../../../lib/server/storage/storage.ts";
import { Random } from "../../../support/random.ts";
import { optionsFor, TemporaryS3 } from "../../../support/s3-storage.ts";
import { setsContract } from "../sets.contract.ts";
import { fillPart, published, storageContract } from "../storage.contract.ts";

const SEGMENT = 64 * 1024;
const PATH = "site-1/20250102_030405_a.txt";
const PARTS = "some/where/.server/parts/";

const open = () => TemporaryS3.open({ segment: SEGMENT });

storageContract("S3", open);
setsContract("S3", open);

/** Writes pieces of these sizes one after the other, with a flush after each. */
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
  // A second process takes over, as after a kill of the first one, whose last bytes were never stored.
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
  // The frozen process wakes, and writes to the part that it has lost.
  await frozen.write(old.subarray(120), 120);
  await frozen.sync();
  expect(await part.read(0, 300)).toEqual(current);
  await part.close();
  expect(await other.publish(id, PATH)).toBe(true);
  expect(await published(other, PATH)).toEqual(current);
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
    // S3 performs the request, but its answer is cut off.
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
    // From the second copied part on, every request fails, also the one that aborts the upload, as after a
    // kill.
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
