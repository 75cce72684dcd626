import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { HEADER_BYTES } from "../../lib/protocol/frame.ts";
import {
  BYTES,
  CHUNK,
  comeBack,
  expectRefused,
  type Lie,
  requested,
  system,
  useLiars,
} from "../support/liars.ts";
import { Random } from "../support/random.ts";
import { damaged, frame, md5, type Request, withHeader } from "../support/scripted-client.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);
useLiars();

/* Clients that violate the protocol in a file's frames, and frames that are damaged in transit. */

const MiB = 1024 * 1024;

describe("a client that breaks the protocol is told how, and its download waits for another try", () => {
  const firstChunk = BYTES.subarray(0, CHUNK);
  /** Makes a lie of a client: a correct `file_start`, then these frames. */
  const frames =
    (...make: ((request: Request) => Uint8Array<ArrayBuffer>)[]): Lie =>
    (client, request) => {
      client.start(request, BYTES);
      for (const each of make) client.sendRaw(each(request));
    };
  /**
   * Makes a lie of a client: it announces a file larger than the granted credit, then sends a frame at an
   * offset computed from that credit.
   */
  const beyondCredit =
    (offset: (maxOffset: number) => number): Lie =>
    (client, request) => {
      const size = 10 * request.max_offset;
      const identity = { size, mtime_ns: "1", ctime_ns: "2", inode: "3", device: "4" };
      client.start(request, BYTES, { total_size: size, identity });
      client.sendRaw(frame(request, offset(request.max_offset), firstChunk));
    };

  test.each<[string, Lie, RegExp]>([
    [
      "a frame before file_start",
      (c, r) => c.sendRaw(frame(r, 0, firstChunk)),
      /before file_start/,
    ],
    ["a frame beyond its credit", beyondCredit((max) => max), /granted/],
    ["a frame that ends beyond its credit", beyondCredit((max) => max - 1), /granted/],
    [
      "a frame at the end of all numbers",
      frames((r) => frame(r, Number.MAX_SAFE_INTEGER - 5, BYTES.subarray(0, 5))),
      /beyond|out of range/,
    ],
    [
      "a frame beyond the end of the file",
      frames(
        (r) => frame(r, 0, firstChunk),
        (r) => frame(r, CHUNK, firstChunk),
        (r) => frame(r, 2 * CHUNK, firstChunk),
        (r) => frame(r, 3 * CHUNK, BYTES.subarray(0, 6)),
      ),
      /beyond/,
    ],
    ["a chunk left out", frames((r) => frame(r, CHUNK, firstChunk)), /begins at 65536, expected 0/],
    [
      "the same chunk twice",
      frames(
        (r) => frame(r, 0, firstChunk),
        (r) => frame(r, 0, firstChunk),
      ),
      /begins at 0, expected 65536/,
    ],
    [
      "a stream that was never opened",
      frames((r) => frame({ ...r, stream: 99 }, 0, firstChunk)),
      /no stream 99/,
    ],
    [
      "more than the chunk size that was agreed on",
      frames((r) => frame(r, 0, BYTES.subarray(0, CHUNK + 1))),
      /over the agreed 65536/,
    ],
    [
      "a header that is damaged",
      frames((r) => damaged(frame(r, 0, firstChunk), 12)),
      /header does not match/,
    ],
    [
      "a header of a newer version",
      frames((r) => withHeader(frame(r, 0, firstChunk), 0, 2)),
      /unknown frame version 2/,
    ],
    [
      "flags that nobody knows",
      frames((r) => withHeader(frame(r, 0, firstChunk), 1, 128)),
      /unknown frame flags/,
    ],
    [
      "a length that is too long",
      frames((r) => withHeader(frame(r, 0, firstChunk), 18, 255, 255, 255, 255)),
      /says|carries/,
    ],
    [
      "a wire length that is too short",
      frames((r) => withHeader(frame(r, 0, firstChunk), 22, 0, 0, 0, 1)),
      /says 1 bytes and carries 65536/,
    ],
    [
      "an offset of 64 bits",
      frames((r) => withHeader(frame(r, 0, firstChunk), 10, 255, 255, 255, 255)),
      /out of range/,
    ],
    ["an empty frame", frames((r) => frame(r, 0, new Uint8Array())), /empty/],
    [
      "half a header",
      frames((r) => frame(r, 0, firstChunk).slice(0, HEADER_BYTES - 1)),
      /no whole header/,
    ],
    ["no byte at all", frames(() => new Uint8Array()), /no whole header/],
    ["binary junk", frames(() => new Random(3).bytes(5000)), /header does not match/],
  ])("%s", (_, lie, reason) => expectRefused(lie, reason));

  test("and fails when the client does nothing else", async () => {
    const { client, request, downloadId } = await requested();
    client.sendRaw(frame(request, 0, firstChunk));
    await client.closed;
    // The server waits 1 s, then 4 s between its tries.
    for (let attempt = 2; attempt <= 3; attempt++) {
      const again = await comeBack();
      again.sendRaw(frame(await again.next("download_request"), 0, firstChunk));
      await again.closed;
    }
    expect(await system.ended(downloadId)).toMatchObject({
      status: "failed",
      error_code: "protocol_error",
      attempts: 3,
    });
  });

  test("a frame that no chunk size allows is not even read", async () => {
    const { client } = await requested();
    client.sendRaw(new Uint8Array(9 * MiB));
    expect([1006, 1009]).toContain((await client.closed).code);
  });
});

describe("a chunk that is damaged on the way", () => {
  test("is asked for again, and the download is whole", async () => {
    const { client, request, downloadId } = await requested();
    client.start(request, BYTES);
    client.sendRaw(frame(request, 0, BYTES.subarray(0, CHUNK)));
    client.sendRaw(damaged(frame(request, CHUNK, BYTES.subarray(CHUNK, 2 * CHUNK)), 1000));
    // Sends the next frame too, as a client does before it learns that one was damaged.
    client.sendRaw(frame(request, 2 * CHUNK, BYTES.subarray(2 * CHUNK, 3 * CHUNK)));
    expect(await client.next("resend")).toMatchObject({ offset: CHUNK });
    client.sendFrames(request, BYTES, CHUNK);
    client.complete(request, BYTES);
    await client.next("done");
    expect(await system.ended(downloadId)).toMatchObject({
      status: "completed",
      md5: md5(BYTES),
      attempts: 1,
    });
  });

  test("again and again fails the download loudly", async () => {
    const { client, request, downloadId } = await requested();
    client.start(request, BYTES);
    const bad = () => damaged(frame(request, 0, BYTES.subarray(0, CHUNK)), HEADER_BYTES);
    client.sendRaw(bad());
    for (let asked = 1; asked <= 3; asked++) {
      expect(await client.next("resend")).toMatchObject({ offset: 0 });
      client.sendRaw(bad());
    }
    await client.next("cancel");
    expect(await system.ended(downloadId)).toMatchObject({
      status: "failed",
      error_code: "checksum_mismatch",
      error: "the chunk at 0 came damaged 4 times",
      attempts: 1,
    });
    expect(client.isOpen).toBe(true);
  });
});
