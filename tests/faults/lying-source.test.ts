import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { BYTES, CHUNK, comeBack, liarId, requested, system, useLiars } from "../support/liars.ts";
import { md5, type Request, type ScriptedClient } from "../support/scripted-client.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);
useLiars();

/* Clients whose messages are well-formed but wrong about the file. */

describe("a client that is wrong about its own file", () => {
  /** Answers the download request and its two repetitions. @returns the record of the ended download */
  async function answerAll(
    client: ScriptedClient,
    first: Request,
    downloadId: string,
    answer: (request: Request) => void,
  ) {
    answer(first);
    for (let attempt = 2; attempt <= 3; attempt++) answer(await client.next("download_request"));
    return system.ended(downloadId);
  }

  test("in its MD5 is read again from the start, twice, then the download fails", async () => {
    const { client, request, downloadId } = await requested();
    const record = await answerAll(client, request, downloadId, (each) => {
      expect(each.offset).toBe(0);
      client.start(each, BYTES);
      client.sendFrames(each, BYTES);
      client.complete(each, BYTES, { md5: md5(new Uint8Array()) });
    });
    expect(record).toMatchObject({
      status: "failed",
      error_code: "checksum_mismatch",
      attempts: 3,
    });
    expect(record.error).toContain(md5(BYTES));
  });

  test("as it changes while it is read: the same, with the true cause", async () => {
    const { client, request, downloadId } = await requested();
    const other = { size: BYTES.length, mtime_ns: "1", ctime_ns: "9", inode: "3", device: "4" };
    const record = await answerAll(client, request, downloadId, (each) => {
      client.start(each, BYTES);
      client.sendFrames(each, BYTES);
      client.complete(each, BYTES, { identity: other });
    });
    expect(record).toMatchObject({ status: "failed", error_code: "source_changed", attempts: 3 });
  });

  test.each(["file_not_found", "access_denied", "not_a_regular_file"])(
    "and says %s fails the download at once, with its words",
    async (code) => {
      const { client, request, downloadId } = await requested();
      client.fail(request, code, 'no "data.bin"\n\u0000 here');
      expect(await system.ended(downloadId)).toMatchObject({
        status: "failed",
        error_code: code,
        error: 'no "data.bin"\n\u0000 here',
        attempts: 1,
      });
    },
  );

  test("which no disk can hold: it fails before a byte is sent", async () => {
    const { client, request, downloadId } = await requested();
    const size = Number.MAX_SAFE_INTEGER;
    const identity = { size, mtime_ns: "1", ctime_ns: "2", inode: "3", device: "4" };
    client.start(request, BYTES, { total_size: size, identity });
    const record = await system.ended(downloadId);
    expect(record).toMatchObject({ status: "failed", error_code: "storage_full", attempts: 1 });
  });
});

describe("a client that is asked to go on", () => {
  /**
   * Makes a client that delivered a chunk, lost its connection and connected again.
   * @returns the request to resume
   */
  async function resumed() {
    const { client, request, downloadId } = await requested();
    client.start(request, BYTES);
    client.sendFrames(request, BYTES.subarray(0, CHUNK));
    await client.next("credit");
    await client[Symbol.asyncDispose]();
    const again = await comeBack();
    const second = await again.next("download_request");
    expect(second).toMatchObject({
      offset: CHUNK,
      resume: { prefix_md5: md5(BYTES.subarray(0, CHUNK)), total_size: BYTES.length },
    });
    return { client: again, request: second, downloadId };
  }

  test("may not change the size that was agreed on", async () => {
    const { client, request } = await resumed();
    client.start(request, BYTES.subarray(1), { offset: CHUNK });
    expect((await client.closed).reason).toMatch(/expected the size agreed before/);
  });

  test("and sends the rest of another file: it is read again from the start", async () => {
    const { client, request, downloadId } = await resumed();
    const other = BYTES.toReversed();
    client.start(request, other, { offset: CHUNK });
    client.sendFrames(request, other, CHUNK);
    client.complete(request, other);
    const third = await client.next("download_request");
    expect(third.offset).toBe(0);
    client.deliver(third, other);
    expect(await system.ended(downloadId)).toMatchObject({ status: "completed", md5: md5(other) });
  });

  test("and starts over is taken from the first byte", async () => {
    const { client, request, downloadId } = await resumed();
    const other = BYTES.toReversed();
    client.start(request, other, { reason: "the file changed" });
    // The earlier credit was granted for bytes after the old offset, so the client waits for new credit.
    await client.next("credit");
    client.sendFrames(request, other);
    client.complete(request, other);
    expect(await system.ended(downloadId)).toMatchObject({ status: "completed", md5: md5(other) });
  });
});

describe("what comes late is dropped", () => {
  test("frames and messages of another epoch", async () => {
    const { client, request, downloadId } = await requested();
    for (const epoch of [request.epoch - 1, request.epoch + 1, 0xffff_ffff]) {
      client.deliver({ ...request, epoch }, BYTES.toReversed());
      client.fail({ ...request, epoch }, "file_not_found");
    }
    client.deliver(request, BYTES);
    expect(await system.ended(downloadId)).toMatchObject({ status: "completed", md5: md5(BYTES) });
  });

  test("all of a file whose download was cancelled", async () => {
    const { client, request, downloadId } = await requested();
    client.start(request, BYTES);
    await client.next("credit");
    await system.api.cancel(downloadId);
    await client.next("cancel");
    client.sendFrames(request, BYTES);
    client.complete(request, BYTES);
    const next = await system.pull("data.bin", liarId());
    client.deliver(await client.next("download_request"), BYTES);
    expect(await system.ended(next)).toMatchObject({ status: "completed" });
    expect(await system.api.download(downloadId)).toMatchObject({ status: "cancelled" });
  });
});
