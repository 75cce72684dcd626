import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { Bucket } from "../../../../lib/server/storage/s3/bucket.ts";
import { openS3Storage } from "../../../../lib/server/storage/s3/s3.ts";
import { Objects } from "../../../../lib/server/storage/s3/objects.ts";
import { Random } from "../../../support/random.ts";
import { NO_REAL_S3, realBucket, realS3Storage, removeBucket } from "../../../support/real-s3.ts";
import { TEST_LIMIT, waitFor } from "../../../support/wait.ts";
import { setsContract } from "../sets.contract.ts";
import { published, storageContract } from "../storage.contract.ts";

/* Runs the tests of the S3 storage on a real S3. */

setDefaultTimeout(TEST_LIMIT);

const MiB = 1024 * 1024;

// A single skipped test stands for all tests that need a real S3.
if (NO_REAL_S3 === "") describe("a real S3", onRealS3);
else test.skip(`a real S3${NO_REAL_S3}`, () => undefined);

function onRealS3(): void {
  storageContract("S3", realS3Storage);
  setsContract("S3", realS3Storage);

  test("segments are copied and tails are joined to one object", async () => {
    await using temporary = await realS3Storage();
    const { storage } = temporary;
    const bytes = new Random(1).bytes(19 * MiB + 123);
    const id = Bun.randomUUIDv7();
    const part = await storage.openPart(id);
    let at = 0;
    for (const size of [3 * MiB, 100, 5 * MiB - 50, bytes.length]) {
      const some = bytes.subarray(at, at + size);
      await part.write(some, at);
      await part.sync();
      at += some.length;
    }
    await part.close();
    expect(await storage.publish(id, "site-1/large")).toBe(true);
    const stored = await published(storage, "site-1/large");
    expect(Buffer.from(stored ?? []).equals(bytes)).toBe(true);
    expect(await storage.listParts()).toEqual([]);
  });

  test("a run is read, goes on in another process, is published and served", async () => {
    const options = await realBucket();
    try {
      const bytes = new Random(2).bytes(25 * MiB);
      const id = Bun.randomUUIDv7();
      const first = await (await openS3Storage(options)).openPart(id);
      await first.write(bytes.subarray(0, 20 * MiB), 0);
      const isSafe = async () => (await first.checkpoint(20 * MiB)) === 16 * MiB;
      await waitFor(isSafe, "two segments to be safe");
      // A second process takes over, as after a kill of the first one.
      const other = await openS3Storage(options);
      const part = await other.openPart(id);
      expect(part.size).toBe(16 * MiB);
      await part.write(bytes.subarray(16 * MiB), 16 * MiB);
      await part.sync();
      expect(Buffer.from(await part.read(0, 30 * MiB)).equals(bytes)).toBe(true);
      await part.close();
      expect(await other.publish(id, "site-1/large")).toBe(true);
      const stored = await published(other, "site-1/large");
      expect(Buffer.from(stored ?? []).equals(bytes)).toBe(true);
      expect(await other.listParts()).toEqual([]);
    } finally {
      await removeBucket(options);
    }
  });

  test("what is only if new replaces nothing", async () => {
    const options = await realBucket();
    try {
      const objects = new Objects(new Bucket(options), { maxRetryMs: 10_000 });
      const bytes = new Uint8Array(3);
      await objects.put("a é/b+c", bytes, { onlyIfNew: true, downloadId: "1" });
      const again = objects.put("a é/b+c", bytes, { onlyIfNew: true });
      await expect(again).rejects.toMatchObject({ status: 412 });
      expect(await objects.head("a é/b+c")).toMatchObject({ size: 3, downloadId: "1" });
    } finally {
      await removeBucket(options);
    }
  });
}
