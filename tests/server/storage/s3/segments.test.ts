import { expect, test } from "bun:test";
import { openS3Storage } from "../../../../lib/server/storage/s3/s3.ts";
import { Random } from "../../../support/random.ts";
import { TemporaryS3 } from "../../../support/s3-storage.ts";
import { waitFor } from "../../../support/wait.ts";
import { fillPart, published } from "../storage.contract.ts";

/* Segments of a part in S3: when they are durable, and how they become one object. */

const PATH = "site-1/20250102_030405_a.txt";

/** Opens a part and writes to it until `safe` bytes of segments are durable, in an upload that stays open. */
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
  // The frozen process wakes, and writes other bytes.
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
  // Nothing is durable as long as the first segment is missing, although later ones are stored.
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
  // A second process takes over, as after a kill of the first one.
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
