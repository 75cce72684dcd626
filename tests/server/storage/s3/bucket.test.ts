import { copyObject } from "../../../../lib/server/storage/s3/copy.ts";
import { expect, test } from "bun:test";
import { Bucket } from "../../../../lib/server/storage/s3/bucket.ts";
import { S3Error } from "../../../../lib/server/storage/s3/error.ts";
import { Objects } from "../../../../lib/server/storage/s3/objects.ts";
import { FakeS3, type S3Fault } from "../../../support/fake-s3.ts";
import { optionsFor } from "../../../support/s3-storage.ts";
import { waitFor } from "../../../support/wait.ts";

const BYTES = new TextEncoder().encode("what a site sent");

function objectsIn(s3: FakeS3, patience = { maxRetryMs: Infinity }): Objects {
  return new Objects(new Bucket(optionsFor(s3)), patience);
}

/** Makes the next requests fail with these faults, one request each. */
function failing(s3: FakeS3, ...faults: S3Fault[]): void {
  s3.fault = () => faults.shift() ?? null;
}

test.each<[string, S3Fault]>([
  ["500", { status: 500, code: "InternalError" }],
  ["503 SlowDown", { status: 503, code: "SlowDown" }],
  ["429", { status: 429, code: "TooManyRequests" }],
  ["a request that S3 waited for in vain", { status: 400, code: "RequestTimeout" }],
  ["an answer that breaks off", "cut"],
])("%s passes, and is tried again", async (_, fault) => {
  await using s3 = new FakeS3();
  const objects = objectsIn(s3);
  failing(s3, fault, fault, fault);
  const etag = await objects.put("a", BYTES);
  failing(s3, fault, fault);
  expect(await objects.get("a", { start: 5, end: 6 }, etag)).toEqual(BYTES.slice(5, 6));
  failing(s3, fault);
  const found = await Array.fromAsync(objects.list(""));
  expect(found).toEqual([{ key: "a", size: BYTES.length, etag }]);
});

test.each([
  [403, "AccessDenied"],
  [403, "SignatureDoesNotMatch"],
  [404, "NoSuchBucket"],
  [400, "EntityTooSmall"],
  [501, "NotImplemented"],
])("%d %s stays, and is told at once", async (status, code) => {
  await using s3 = new FakeS3();
  s3.fault = () => ({ status, code });
  await expect(objectsIn(s3).put("a", BYTES)).rejects.toMatchObject({ status, code });
  expect(s3.requests).toHaveLength(1);
});

test("what has no room is full", () => {
  expect(new S3Error("QuotaExceeded", 403).isFull).toBe(true);
  expect(new S3Error("XMinioStorageFull", 507).isFull).toBe(true);
  expect(new S3Error("AccessDenied", 403).isFull).toBe(false);
});

test("an S3 that is away is waited for", async () => {
  await using s3 = new FakeS3();
  const objects = objectsIn(s3);
  await s3.goAway();
  const put = objects.put("a", BYTES);
  const impatient = objectsIn(s3, { maxRetryMs: 20 });
  await expect(impatient.put("b", BYTES)).rejects.toMatchObject({ status: null });
  s3.comeBack();
  await put;
  expect(s3.keys).toEqual(["a"]);
});

test("waiting ends when it is told to, also in the middle of a request", async () => {
  await using s3 = new FakeS3();
  s3.fault = () => "no answer";
  const stopping = new AbortController();
  const patience = { maxRetryMs: Infinity, signal: stopping.signal };
  const put = new Objects(new Bucket(optionsFor(s3)), patience).put("a", BYTES);
  await waitFor(() => s3.requests.length > 0, "the request");
  stopping.abort();
  await expect(put).rejects.toBeInstanceOf(S3Error);
});

test("an ETag that is not the MD5 of what was sent is not believed", async () => {
  await using s3 = new FakeS3();
  const { fetch } = globalThis;
  let times = 0;
  const damaging = async (...args: Parameters<typeof fetch>) => {
    const answer = await fetch(...args);
    if (times++ > 0) return answer;
    return new Response(answer.body, { headers: { etag: '"0123"' } });
  };
  globalThis.fetch = Object.assign(damaging, { preconnect: fetch.preconnect });
  try {
    await objectsIn(s3).put("a", BYTES);
  } finally {
    globalThis.fetch = fetch;
  }
  expect(times).toBe(2);
});

test("lists come in pages, with the keys as they are", async () => {
  await using s3 = new FakeS3();
  const objects = objectsIn(s3);
  const names = Array.from({ length: 2_500 }, (_, n) => `x/é & <${n}>'"`);
  for (const name of names) {
    s3.objects.set(name, { bytes: BYTES, etag: '"e"', meta: {} });
  }
  const keys = (await Array.fromAsync(objects.list("x/"))).map(({ key }) => key);
  expect(keys).toEqual(names.toSorted());
  expect(s3.requests).toHaveLength(3);
  await objects.remove(keys);
  expect(s3.keys).toEqual([]);
});

test("a copy is of what it was meant to be, or none", async () => {
  await using s3 = new FakeS3();
  const objects = objectsIn(s3);
  const key = "a b/é";
  const etag = await objects.put(key, BYTES);
  const { length: size } = BYTES;
  expect(await objects.copy({ key, etag, size }, "c")).toBe(true);
  expect(s3.objects.get("c")?.bytes).toEqual(BYTES);
  expect(await objects.copy({ key, etag: '"other"', size }, "d")).toBe(false);
  expect(await objects.copy({ key: "gone", etag, size }, "d")).toBe(false);
  expect(s3.keys).toEqual(["a b/é", "c"]);
});

test("an object of many GiB that is gone, or was replaced, is not copied", async () => {
  await using s3 = new FakeS3();
  const objects = objectsIn(s3);
  const etag = await objects.put("there", BYTES);
  const size = 3 * 1024 ** 3;
  expect(await copyObject(objects, { key: "gone", etag, size }, "d")).toBe(false);
  expect(await copyObject(objects, { key: "there", etag: '"other"', size }, "d")).toBe(false);
  expect([s3.keys, [...s3.uploads]]).toEqual([["there"], []]);
});

test("what is only if new replaces nothing", async () => {
  await using s3 = new FakeS3();
  const objects = objectsIn(s3);
  await objects.put("a", BYTES, { onlyIfNew: true, downloadId: "1" });
  await expect(objects.put("a", BYTES, { onlyIfNew: true })).rejects.toMatchObject({ status: 412 });
  expect(await objects.head("a")).toMatchObject({ size: BYTES.length, downloadId: "1" });
  expect(await objects.head("b")).toBeNull();
  const from = { key: "c", size: 1, etag: await objects.put("c", new Uint8Array([1])) };
  await expect(objects.copy(from, "a", { onlyIfNew: true })).rejects.toMatchObject({ status: 412 });
  expect(await objects.copy(from, "b", { onlyIfNew: true, downloadId: "2" })).toBe(true);
  expect(await objects.head("b")).toMatchObject({ size: 1, downloadId: "2" });
  expect(await objects.head("a")).toMatchObject({ size: BYTES.length, downloadId: "1" });
});
