import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { type DownloadRequest, type FileStart, MAX_STREAMS } from "../../lib/protocol/messages.ts";
import {
  bytes,
  client,
  connection,
  expectCleanLog,
  expectHonestTransferWorks,
  folder,
  reply,
  SECRET,
  SIZE,
  newStream,
  useLyingServer,
} from "../support/lying-server.ts";
import { md5 } from "../support/scripted-client.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);
useLyingServer();

/*
 * The real client with a server that lies. The client must keep running, connect again, and send only files
 * from its root.
 */

const KiB = 1024;

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
    const stream = newStream();
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
      const stream = newStream();
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
    let stream = 0;
    for (const until = asked + 50; asked < until; asked++) {
      stream = newStream();
      connection.request(stream, `../${asked}${"\u0001".repeat(4090)}`);
    }
    await reply("error", stream);
    // Waits until the client has recorded the refused requests. Until then they count as open, and the
    // client ends a connection with too many open ones.
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
  /** Returns the file's identity, as the client reports it. */
  async function identity(): Promise<FileStart["identity"]> {
    const stream = newStream();
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
    const stream = newStream();
    connection.request(stream, "data.bin", { ...fields, max_offset: Number.MAX_SAFE_INTEGER });
    const start = await reply("file_start", stream);
    expect(start).toMatchObject({ offset: 0, total_size: SIZE });
    expect(start.reason).toMatch(reason);
    // The client must not send frames yet: the credit was granted for bytes after the requested offset, and
    // the client starts at 0 instead.
    expect(connection.all("frame").some((frame) => frame.stream === stream)).toBe(false);
    connection.send({ type: "credit", stream, epoch: 1, max_offset: SIZE });
    expect(await reply("file_complete", stream)).toMatchObject({ md5: md5(bytes) });
  });

  test("and a size that the file never had ends in an error, not in more bytes", async () => {
    const stream = newStream();
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
    const stream = newStream();
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
    const stream = newStream();
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
    const stream = newStream();
    connection.request(stream, "data.bin");
    await reply("file_complete", stream);
    connection.send({ type: "resend", stream, epoch: 1, offset: Number.MAX_SAFE_INTEGER });
    connection.send({ type: "resend", stream, epoch: 1, offset: SIZE - 5 });
    await waitFor(() => sent(stream) === SIZE + 5, "the last bytes once more");
    connection.send({ type: "cancel", stream, epoch: 1 });
    await expectHonestTransferWorks();
  });
});

test("as many requests as a server may make at once are all answered", async () => {
  const asked = Array.from({ length: MAX_STREAMS }, () => newStream());
  for (const stream of asked) connection.request(stream, "data.bin");
  for (const stream of asked) {
    expect(await reply("file_complete", stream)).toMatchObject({ md5: md5(bytes) });
    connection.send({ type: "done", stream, epoch: 1 });
  }
  await expectHonestTransferWorks();
});

test("the client's log holds no stack and no key, and it leaves when it is told to", async () => {
  await expectCleanLog();
  client.signal("SIGTERM");
  expect(await client.ended()).toBe(0);
});
