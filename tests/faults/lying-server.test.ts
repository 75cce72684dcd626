import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeFrame } from "../../lib/protocol/frame.ts";
import {
  type ClientMessage,
  type DownloadRequest,
  type FileComplete,
  type FileStart,
  MAX_STREAMS,
} from "../../lib/protocol/messages.ts";
import { MAX_PATTERNS } from "../../lib/protocol/patterns.ts";
import type { Program } from "../support/programs.ts";
import { md5 } from "../support/scripted-client.ts";
import type { ScriptedConnection, ScriptedServer } from "../support/scripted-server.ts";
import { ScriptedServerClient } from "../support/scripted-server-client.ts";
import { writeRandom } from "../support/sources.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { spawnSync } from "../support/spawn.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * The real client with a server that lies. Whatever that says, the client lives, comes back, and
 * sends nothing but what lies in its root.
 */

const KiB = 1024;
const SIZE = 300 * KiB;
const SECRET = "what must never leave this machine";

let folder: string;
let party: ScriptedServerClient;
let server: ScriptedServer;
let client: Program;
let connection: ScriptedConnection;
let bytes: Uint8Array;
let streams = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-hostile-"));
  await mkdir(join(folder, "root/sub"), { recursive: true });
  await Bun.write(join(folder, "secret.txt"), SECRET);
  await writeRandom(join(folder, "root/data.bin"), SIZE);
  await symlink(join(folder, "secret.txt"), join(folder, "root/link.txt"));
  await symlink("/dev/zero", join(folder, "root/device"));
  spawnSync(["mkfifo", join(folder, "root/fifo")]);
  bytes = await Bun.file(join(folder, "root/data.bin")).bytes();
  party = await ScriptedServerClient.start(folder);
  ({ server, client, connection } = party);
});
afterAll(async () => {
  await party?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** Asks for a file in the middle of it all, and takes it as an honest server would. */
async function expectHonestTransferWorks(): Promise<void> {
  const stream = ++streams;
  connection.request(stream, "data.bin");
  const complete = await reply("file_complete", stream);
  expect(complete).toMatchObject({ total_size: SIZE, md5: md5(bytes) });
  const frames = connection.all("frame").filter((frame) => frame.stream === stream);
  expect(Buffer.compare(Buffer.concat(frames.map(({ payload }) => payload)), bytes)).toBe(0);
  connection.send({ type: "done", stream, epoch: 1 });
}

type Answer = FileStart | FileComplete | Extract<ClientMessage, { type: "error" }>;

/** The answer of a type to what was asked on a stream. */
async function reply<T extends Answer["type"]>(type: T, stream: number) {
  return waitFor(
    () => connection.all(type).find((message) => "stream" in message && message.stream === stream),
    `the client to send "${type}"`,
  );
}

describe("nothing outside the root leaves the site", () => {
  test.each([
    ["an absolute path", () => join(folder, "secret.txt")],
    ["a way out", () => "../secret.txt"],
    ["a long way out", () => "sub/../../secret.txt"],
    ["a way to the root of all", () => "../".repeat(40) + "etc/passwd"],
    ["a link that leads out", () => "link.txt"],
    ["what every machine has", () => "/etc/passwd"],
    ["the client's own memory", () => "/proc/self/environ"],
    ["the client's key", () => join(folder, "state/key")],
    ["the same, seen from the root", () => "../state/key"],
    ["home", () => "~/.ssh/id_rsa"],
    ["a variable that is not expanded", () => "$PWD/secret.txt"],
    ["the root itself", () => "."],
    ["a folder", () => "sub"],
    ["a link to a device", () => "device"],
    ["a FIFO, where there are such", () => "fifo"],
    ["a name of 300 bytes", () => "x".repeat(300)],
    ["what is not there", () => "nothing.txt"],
  ])("%s", async (_, path) => {
    const before = connection.bytesReceived;
    const stream = ++streams;
    connection.request(stream, path());
    const { code, message } = await reply("error", stream);
    expect(["access_denied", "file_not_found", "not_a_regular_file"]).toContain(code);
    expect(message).not.toContain(SECRET);
    expect(connection.bytesReceived).toBe(before);
    expect(connection.all("file_start").some((start) => start.stream === stream)).toBe(false);
    await expectHonestTransferWorks();
  });

  test("tells the same of what is outside, there or not", async () => {
    const codes: unknown[] = [];
    for (const path of [
      join(folder, "secret.txt"),
      join(folder, "not-there.txt"),
      "/nowhere/at/all",
    ]) {
      const stream = ++streams;
      connection.request(stream, path);
      const { code, message } = await reply("error", stream);
      codes.push([code, message.replaceAll(path, "PATH")]);
    }
    expect(codes).toEqual(Array(3).fill(codes[0]));
  });
});

test("row 61: a flood of refused requests is counted, and leaves the record of what was sent", async () => {
  await expectHonestTransferWorks();
  const record = join(folder, "state/requests-refused.log");
  const lines = async () =>
    (
      await Bun.file(record)
        .text()
        .catch(() => "")
    ).split("\n").length - 1;
  const before = await lines();
  for (let asked = 0; asked < 700;) {
    for (const until = asked + 50; asked < until; asked++) {
      connection.request(++streams, `../${asked}${"\u0001".repeat(4090)}`);
    }
    await reply("error", streams);
    // It takes no more at once than it has written down.
    const wanted = Math.min(200, before + asked);
    await waitFor(async () => (await lines()) >= wanted, "what was refused to be recorded");
  }
  expect(await lines()).toBe(200);
  expect(Bun.file(record).size).toBeLessThan(512 * KiB);
  const sent = await Bun.file(join(folder, "state/requests.log")).text();
  expect(sent).toContain('"file_path":"data.bin","outcome":"sent"');
  const told = client.log().filter(({ message }) => message.startsWith("file not sent: "));
  expect(told.length).toBeLessThan(200);
});

describe("an offer to resume that is a lie makes the client start over", () => {
  /** The identity that the client itself tells of the file. */
  async function identity(): Promise<FileStart["identity"]> {
    const stream = ++streams;
    connection.request(stream, "data.bin");
    return (await reply("file_start", stream)).identity;
  }
  const prefixMd5 = (length: number) => md5(bytes.subarray(0, length));

  test.each<[string, (id: FileStart["identity"]) => Partial<DownloadRequest>, RegExp]>([
    ["without a proof", () => ({ offset: 5 }), /no proof/],
    [
      "of another prefix",
      (id) => ({ offset: 5, resume: { prefix_md5: prefixMd5(6), identity: id, total_size: SIZE } }),
      /first bytes/,
    ],
    [
      "of another file",
      (id) => ({
        offset: 5,
        resume: { prefix_md5: prefixMd5(5), identity: { ...id, inode: "1" }, total_size: SIZE },
      }),
      /changed/,
    ],
    [
      "behind the end",
      (id) => ({
        offset: SIZE + 1,
        resume: { prefix_md5: prefixMd5(SIZE), identity: id, total_size: SIZE },
      }),
      /shorter/,
    ],
    [
      "at the end of all numbers",
      (id) => ({
        offset: Number.MAX_SAFE_INTEGER,
        resume: { prefix_md5: prefixMd5(SIZE), identity: id, total_size: SIZE },
      }),
      /shorter/,
    ],
  ])("%s", async (_, lie, reason) => {
    const fields = lie(await identity());
    const stream = ++streams;
    connection.request(stream, "data.bin", { ...fields, max_offset: Number.MAX_SAFE_INTEGER });
    const start = await reply("file_start", stream);
    expect(start).toMatchObject({ offset: 0, total_size: SIZE });
    expect(start.reason).toMatch(reason);
    // What was granted was granted for what follows the offset that was offered.
    expect(connection.all("frame").some((frame) => frame.stream === stream)).toBe(false);
    connection.send({ type: "credit", stream, epoch: 1, max_offset: SIZE });
    expect(await reply("file_complete", stream)).toMatchObject({ md5: md5(bytes) });
  });

  test("and a size that the file never had ends in an error, not in more bytes", async () => {
    const stream = ++streams;
    const resume = { prefix_md5: prefixMd5(5), identity: await identity(), total_size: 2 ** 50 };
    connection.request(stream, "data.bin", { offset: 5, resume, max_offset: 2 ** 50 });
    expect(await reply("error", stream)).toMatchObject({ code: "source_changed" });
    await expectHonestTransferWorks();
  });
});

describe("credit", () => {
  const sent = (stream: number) =>
    connection
      .all("frame")
      .filter((frame) => frame.stream === stream)
      .reduce((sum, { payload }) => sum + payload.length, 0);

  test("is not exceeded by a byte, and one that goes back sends nothing twice", async () => {
    const stream = ++streams;
    connection.request(stream, "data.bin", { max_offset: 100_000 });
    await waitFor(() => sent(stream) === 100_000, "what was granted");
    connection.send({ type: "credit", stream, epoch: 1, max_offset: 50_000 });
    connection.send({ type: "credit", stream, epoch: 1, max_offset: 0 });
    await expectHonestTransferWorks();
    expect(sent(stream)).toBe(100_000);
    connection.send({ type: "credit", stream, epoch: 1, max_offset: SIZE });
    expect(await reply("file_complete", stream)).toMatchObject({ md5: md5(bytes) });
    expect(sent(stream)).toBe(SIZE);
  });

  test("beyond the end sends no more than the file", async () => {
    const stream = ++streams;
    connection.request(stream, "data.bin", { max_offset: Number.MAX_SAFE_INTEGER });
    await reply("file_complete", stream);
    expect(sent(stream)).toBe(SIZE);
  });

  test("for a stream that is not there is ignored", async () => {
    for (const type of ["credit", "resend", "cancel", "done"]) {
      connection.send({ type, stream: 999_999, epoch: 7, max_offset: 5, offset: 5 });
    }
    await expectHonestTransferWorks();
  });

  test("for a chunk that nobody has sends nothing that is not in the file", async () => {
    const stream = ++streams;
    connection.request(stream, "data.bin");
    await reply("file_complete", stream);
    connection.send({ type: "resend", stream, epoch: 1, offset: Number.MAX_SAFE_INTEGER });
    connection.send({ type: "resend", stream, epoch: 1, offset: SIZE - 5 });
    await waitFor(() => sent(stream) === SIZE + 5, "the last bytes once more");
    connection.send({ type: "cancel", stream, epoch: 1 });
    await expectHonestTransferWorks();
  });
});

describe("a server that breaks the protocol loses the client, which comes back", () => {
  const request = {
    type: "download_request",
    stream: 1,
    epoch: 1,
    download_id: "0198c0de-0000-7000-8000-000000000000",
    file_path: "data.bin",
    chunk_size: 65_536,
    offset: 0,
    max_offset: 1,
  };

  test.each<[string, string | Uint8Array<ArrayBuffer>, number]>([
    ["with junk", "hello", 1002],
    ["with an unknown type", '{"type":"format_disk"}', 1002],
    ["with a message of a client", '{"type":"proving","stream":1,"epoch":1,"offset":0}', 1002],
    ["with a frame", encodeFrame({ stream: 1, epoch: 1, offset: 0 }, new Uint8Array(5)), 1002],
    ["with a message of over 64 KiB", JSON.stringify("x".repeat(65_536)), 1009],
    [
      "with a path that holds a NUL",
      JSON.stringify({ ...request, file_path: "data.bin\0.txt" }),
      1002,
    ],
    [
      "with a path that is too long",
      JSON.stringify({ ...request, file_path: "x".repeat(4097) }),
      1002,
    ],
    ["with no path", JSON.stringify({ ...request, file_path: undefined }), 1002],
    ["with a negative offset", JSON.stringify({ ...request, offset: -1 }), 1002],
    ["with an offset of 60 bits", JSON.stringify({ ...request, offset: 2 ** 60 }), 1002],
    ["with a chunk size of nothing", JSON.stringify({ ...request, chunk_size: 0 }), 1002],
    ["with a chunk size over 8 MiB", JSON.stringify({ ...request, chunk_size: 2 ** 30 }), 1002],
  ])("%s", async (_, data, code) => {
    // A transfer that came to its end lets the client come back soon.
    await expectHonestTransferWorks();
    connection.sendRaw(data);
    expect((await connection.closed).code).toBe(code);
    connection = await server.accept();
    await connection.admit();
    await expectHonestTransferWorks();
  });

  test("with a stream that is in use, also for the one that uses it", async () => {
    await expectHonestTransferWorks();
    const stream = ++streams;
    connection.request(stream, "data.bin", { max_offset: 1000 });
    connection.request(stream, "data.bin", { max_offset: 1000 });
    expect((await connection.closed).code).toBe(1002);
    connection = await server.accept();
    await connection.admit();
    await expectHonestTransferWorks();
  });

  test("with more requests than one client can have open", async () => {
    await expectHonestTransferWorks();
    for (let more = 0; more <= 2 * MAX_STREAMS; more++) {
      connection.request(++streams, "data.bin", { max_offset: 0 });
    }
    expect((await connection.closed).code).toBe(1002);
    connection = await server.accept();
    await connection.admit();
    await expectHonestTransferWorks();
  });

  test("with more patterns than a set may have", async () => {
    await expectHonestTransferWorks();
    const set = { stream: ++streams, epoch: 1 };
    const download_id = "0198c0de-0000-7000-8000-000000000000";
    const options = { checksum: "md5", chunk_size: 65_536, max_offset: 1000 };
    connection.send({ type: "set_request", ...set, download_id, ...options });
    for (let more = 0; more <= MAX_PATTERNS; more++) {
      connection.send({ type: "set_select", ...set, include: [`*.${more}`], exclude: [] });
    }
    expect((await connection.closed).code).toBe(1002);
    connection = await server.accept();
    await connection.admit();
    await expectHonestTransferWorks();
  });

  test("also when the connection ends in the middle of a file", async () => {
    await expectHonestTransferWorks();
    connection.request(++streams, "data.bin", { max_offset: 1000 });
    await reply("file_start", streams);
    connection.close(1011, "internal_error");
    connection = await server.accept();
    await connection.admit();
    await expectHonestTransferWorks();
  });
});

test("as many requests as a server may make at once are all answered", async () => {
  const asked = Array.from({ length: MAX_STREAMS }, () => ++streams);
  for (const stream of asked) connection.request(stream, "data.bin");
  for (const stream of asked) {
    expect(await reply("file_complete", stream)).toMatchObject({ md5: md5(bytes) });
    connection.send({ type: "done", stream, epoch: 1 });
  }
  await expectHonestTransferWorks();
});

test("the client's log holds no stack and no key, and it leaves when it is told to", async () => {
  const text = await Bun.file(join(folder, "client.log")).text();
  expect(text).not.toContain(await Bun.file(join(folder, "state/key")).text());
  expect(client.log().filter((line) => "stack" in line || line["level"] === "none")).toEqual([]);
  client.signal("SIGTERM");
  expect(await client.ended()).toBe(0);
});
