import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { HEADER_BYTES } from "../../lib/protocol/frame.ts";
import { Random } from "../support/random.ts";
import {
  damaged,
  frame,
  md5,
  REGISTER,
  type Request,
  ScriptedClient,
  withHeader,
} from "../support/scripted-client.ts";
import { md5OfFile, writeRandom } from "../support/sources.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Clients that lie. After each lie the server lives, an honest client's download that was under
 * way is whole, and nothing but complete files lies outside `.server/`.
 */

const KiB = 1024;
const CHUNK = REGISTER.chunk_size;
/** What the lying clients say that they have. */
const BYTES = new Random(7).bytes(3 * CHUNK + 5);

let system: System;
let honest: { downloadId: string; md5: string };
let ids = 0;
/** The liars of the test, which leave at its end. */
const clients: ScriptedClient[] = [];

beforeAll(async () => {
  system = await System.start({ ENROLL_TOKEN: "" });
  await writeRandom(system.source("honest.bin"), 512 * KiB);
  await system.startClient({ id: "honest" });
});
afterAll(() => system[Symbol.asyncDispose]());

beforeEach(async () => {
  honest = {
    downloadId: await system.pull("honest.bin", "honest"),
    md5: await md5OfFile(system.source("honest.bin")),
  };
});

afterEach(async () => {
  for (const client of clients.splice(0)) await client[Symbol.asyncDispose]();
  expect(await system.ended(honest.downloadId)).toMatchObject({
    status: "completed",
    md5: honest.md5,
    attempts: 1,
  });
  expect(await system.api.health()).toMatchObject({ status: "healthy" });
  await waitFor(async () => {
    // What was broken off just now may get back to the queue after a first look.
    const { downloads } = await system.api.downloads({ status: "queued" });
    for (const { download_id } of downloads) await system.api.cancel(download_id);
    return (await system.parts()).length === 0;
  }, "the parts to be removed");
  await system.expectTidy();
});

/** A client of its own for each test, and the request for a file that it gets. */
async function requested(
  fields: Partial<typeof REGISTER> = {},
): Promise<{ client: ScriptedClient; request: Request; downloadId: string }> {
  const client_id = `liar-${++ids}`;
  const client = await ScriptedClient.register(system.url, { client_id, ...fields });
  clients.push(client);
  const downloadId = await system.pull("data.bin", client_id);
  return { client, request: await client.next("download_request"), downloadId };
}

describe("a client that breaks the protocol is told how, and its download waits for another try", () => {
  type Lie = (client: ScriptedClient, request: Request) => void;
  const start: Lie = (client, request) => client.start(request, BYTES);
  const firstChunk = BYTES.subarray(0, CHUNK);
  /** Sends a frame after a right file_start. */
  const frames =
    (...make: ((request: Request) => Uint8Array<ArrayBuffer>)[]): Lie =>
    (client, request) => {
      client.start(request, BYTES);
      for (const each of make) client.sendRaw(each(request));
    };
  /** Sends a frame of a file that is longer than what is granted. */
  const beyondCredit =
    (offset: (maxOffset: number) => number): Lie =>
    (client, request) => {
      const size = 10 * request.max_offset;
      const identity = { size, mtime_ns: "1", ctime_ns: "2", inode: "3", device: "4" };
      client.start(request, BYTES, { total_size: size, identity });
      client.sendRaw(frame(request, offset(request.max_offset), firstChunk));
    };

  test.each<[string, Lie, RegExp]>([
    // Frames.
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
    // Messages.
    ["text junk", (c) => c.sendRaw("GET / HTTP/1.1\r\n\r\n"), /not JSON/],
    ["an unknown type", (c) => c.send({ type: "download_request" }), /type: /],
    ["a message of over 64 KiB", (c) => c.send({ type: "x".repeat(64 * KiB) }), /too long/],
    ["register once more", (c) => c.send(REGISTER), /register came twice/],
    [
      "file_start twice",
      (c, r) => {
        start(c, r);
        start(c, r);
      },
      /file_start came at the wrong time/,
    ],
    ["a negative size", (c, r) => c.start(r, BYTES, { total_size: -1 }), /total_size: /],
    ["a size of no whole number", (c, r) => c.start(r, BYTES, { total_size: 1.5 }), /total_size: /],
    [
      "a size beyond all numbers",
      (c, r) => c.start(r, BYTES, { total_size: 2 ** 60 }),
      /total_size: /,
    ],
    ["a size that is text", (c, r) => c.start(r, BYTES, { total_size: "5" }), /total_size: /],
    [
      "more than the file has",
      (c, r) => c.start(r, BYTES, { total_size: BYTES.length + 1 }),
      /more bytes than the file has/,
    ],
    ["no identity", (c, r) => c.start(r, BYTES, { identity: null }), /identity: /],
    ["an offset of its own", (c, r) => c.start(r, BYTES, { offset: 5 }), /begins at 5, expected 0/],
    ["a negative offset", (c, r) => c.start(r, BYTES, { offset: -5 }), /offset: /],
    [
      "file_complete before file_start",
      (c, r) => c.complete(r, BYTES),
      /file_complete came at the wrong time/,
    ],
    [
      "file_complete too early",
      (c, r) => {
        start(c, r);
        c.sendFrames(r, firstChunk);
        c.complete(r, BYTES);
      },
      /65536 of 196613 came/,
    ],
    [
      "file_complete of another size",
      (c, r) => {
        start(c, r);
        c.sendFrames(r, BYTES);
        c.complete(r, BYTES, { total_size: 5 });
      },
      /says 5 bytes/,
    ],
    ["an MD5 that is none", (c, r) => c.complete(r, BYTES, { md5: "d41d8cd9" }), /md5: /],
    ["an error that nobody knows", (c, r) => c.fail(r, "out_of_paper"), /code: /],
    ["an error that is the server's own", (c, r) => c.fail(r, "storage_full"), /code: /],
    [
      "an error of too many words",
      (c, r) => c.fail(r, "file_not_found", "x".repeat(1025)),
      /message: /,
    ],
  ])("%s", async (_, lie, reason) => {
    const { client, request, downloadId } = await requested();
    lie(client, request);
    const closing = await client.closed;
    expect(closing.reason).toMatch(reason);
    expect([1002, 1009]).toContain(closing.code);
    const record = await waitFor(async () => {
      const now = await system.api.download(downloadId);
      return now.status === "queued" && now;
    }, "the download to wait");
    expect(record).toMatchObject({ error_code: "protocol_error", saved_path: null });
    expect(record.error).toStartWith("the client broke the protocol: ");
    expect(record.bytes_received).toBeLessThanOrEqual(BYTES.length);
  });

  test("and fails when the client does nothing else", async () => {
    const { client, request, downloadId } = await requested();
    client.sendRaw(frame(request, 0, firstChunk));
    await client.closed;
    // It waits for 1 s and then for 4: more than Bun gives a test by itself.
    for (let attempt = 2; attempt <= 3; attempt++) {
      await using again = await ScriptedClient.register(system.url, { client_id: `liar-${ids}` });
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
    client.sendRaw(new Uint8Array(9 * KiB * KiB));
    expect([1006, 1009]).toContain((await client.closed).code);
  });
});

describe("a chunk that is damaged on the way", () => {
  test("is asked for again, and the download is whole", async () => {
    const { client, request, downloadId } = await requested();
    client.start(request, BYTES);
    client.sendRaw(frame(request, 0, BYTES.subarray(0, CHUNK)));
    client.sendRaw(damaged(frame(request, CHUNK, BYTES.subarray(CHUNK, 2 * CHUNK)), 1000));
    // It was sent before the client heard of the damage.
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

describe("a client that is wrong about its own file", () => {
  /** Answers every request for the file until the server asks no more. */
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
  /** It has delivered a chunk, left, and come back. */
  async function resumed() {
    const { client, request, downloadId } = await requested();
    client.start(request, BYTES);
    client.sendFrames(request, BYTES.subarray(0, CHUNK));
    await client.next("credit");
    await client[Symbol.asyncDispose]();
    const again = await ScriptedClient.register(system.url, { client_id: `liar-${ids}` });
    clients.push(again);
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
    // What was granted was granted for what follows the old offset.
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
    const next = await system.pull("data.bin", `liar-${ids}`);
    client.deliver(await client.next("download_request"), BYTES);
    expect(await system.ended(next)).toMatchObject({ status: "completed" });
    expect(await system.api.download(downloadId)).toMatchObject({ status: "cancelled" });
  });
});

describe("a flood", () => {
  test("of frames for nobody, and of messages", async () => {
    const { client, request, downloadId } = await requested();
    const late = frame({ ...request, epoch: 0 }, 0, BYTES.subarray(0, CHUNK));
    for (let n = 0; n < 500; n++) {
      client.sendRaw(late);
      client.send({ type: "proving", stream: request.stream, epoch: request.epoch, offset: n });
    }
    client.deliver(request, BYTES);
    expect(await system.ended(downloadId)).toMatchObject({ status: "completed", md5: md5(BYTES) });
  });

  test("of connections that never say who they are", async () => {
    const strangers = await Promise.all(
      Array.from({ length: 100 }, () => ScriptedClient.connect(system.url)),
    );
    const { connected_clients } = await system.api.health();
    expect(connected_clients).toBeLessThan(100);
    for (const stranger of strangers) stranger.sendRaw("who am I");
    const closings = await Promise.all(strangers.map((stranger) => stranger.closed));
    expect(closings.every(({ code }) => code === 1002)).toBe(true);
  });

  test("of connections that leave at once", async () => {
    for (let n = 0; n < 50; n++) {
      const client = await ScriptedClient.register(system.url, { client_id: "passing" });
      await client[Symbol.asyncDispose]();
    }
    await waitFor(async () => {
      const known = await system.api.clients();
      return known.find(({ client_id }) => client_id === "passing")?.connected === false;
    }, "the last one to be seen gone");
  });
});

test.each([
  ["nothing", ""],
  ["the folder itself", "."],
  ["the folder above", ".."],
  ["the server's own folder", ".server"],
  ["a way out", "../honest"],
  ["a whole path", "/tmp/evil"],
  ["a folder in another's", "honest/evil"],
  ["the same, as on Windows", "honest\\evil"],
  ["a drive", "C:evil"],
  ["a NUL", "honest\0"],
  ["a line behind", "honest\n"],
  ["what looks like another's", "h\u043Enest"],
  ["what cannot be seen", "honest\u200B"],
  ["65 letters", "x".repeat(65)],
])("a client that calls itself %s is no client, and has no folder", async (_, client_id) => {
  const before = await folders();
  await using client = await ScriptedClient.connect(system.url);
  client.send({ ...REGISTER, client_id });
  expect(await client.closed).toMatchObject({
    code: 1002,
    reason: expect.stringContaining("client_id"),
  });
  expect((await system.api.clients()).map((known) => known.client_id)).not.toContain(client_id);
  expect(await folders()).toEqual(before);
});

/** Names beside the system and in its downloads, without those of the honest client. */
async function folders(): Promise<string[]> {
  const downloads = await readdir(join(system.folder, "downloads"));
  return [...(await readdir(system.folder)), ...downloads].filter((name) => name !== "honest");
}

test("a name that a liar chose is made safe", async () => {
  const client_id = `liar-${++ids}`;
  await using client = await ScriptedClient.register(system.url, { client_id });
  const wanted = [
    "../../../etc/cron.d/evil",
    "/etc/passwd",
    "..",
    "a\nb/\u202Etxt.exe",
    "CON",
    ".bashrc",
  ];
  for (const filePath of wanted) {
    const downloadId = await system.pull(filePath, client_id);
    client.deliver(await client.next("download_request"), BYTES);
    const { status, saved_path } = await system.ended(downloadId);
    expect(status).toBe("completed");
    expect(saved_path).toMatch(
      new RegExp(`^${client_id}/\\d{8}_\\d{6}_[^/\\\\\\n\\u202E.][^/\\\\\\n\\u202E]*$`),
    );
  }
});

test("a liar's words make no lines of their own in the log, and nothing failed in the server", async () => {
  const lines = system.server.log();
  expect(lines.filter(({ level }) => level === "none" || level === "error")).toEqual([]);
});
