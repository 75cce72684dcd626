import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { copyFile, mkdir, truncate, writeFile } from "node:fs/promises";
import { delimiter, dirname } from "node:path";
import { Proxy } from "../support/proxy.ts";
import { versionOf, writeRandom } from "../support/sources.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

const KiB = 1024;
const MiB = 1024 * KiB;
/** The default payload of a frame, in bytes. */
const CHUNK = MiB;

describe("a file comes in whole:", () => {
  let system: System;

  beforeAll(async () => {
    system = await System.start();
    // Names that begin with a dot are refused, unless a pattern allows them.
    await system.startClient({ env: { CLIENT_ALLOW: ["**", "..*"].join(delimiter) } });
  });
  afterAll(() => system[Symbol.asyncDispose]());

  test.each([
    ["no byte", 0],
    ["1 byte", 1],
    ["a chunk less 1 byte", CHUNK - 1],
    ["a chunk", CHUNK],
    ["a chunk and 1 byte", CHUNK + 1],
    ["3 chunks and a half", 3.5 * CHUNK],
    ["100 MiB", 100 * MiB],
  ])("%s", async (_, size) => {
    const name = `random-${size}.bin`;
    const wanted = await writeRandom(system.source(name), size);
    const record = await system.ended(await system.pull(name));
    await system.expectDelivered(record, wanted);
    const chunks = Math.ceil(size / CHUNK);
    expect(record).toMatchObject({
      client_id: "site-1",
      file_path: name,
      chunk_size: CHUNK,
      total_chunks: chunks,
      chunks_received: chunks,
      attempts: 1,
      eta_seconds: null,
      saved_path: expect.stringMatching(new RegExp(`^site-1/\\d{8}_\\d{6}_${name}$`)),
    });
    const { created_at, started_at, completed_at } = record;
    const times = [created_at, started_at, completed_at].map((time) => Date.parse(time ?? ""));
    expect(times).toEqual(times.toSorted());
    await system.expectTidy();
  });

  test("zeros that are no blocks on the disk", async () => {
    const path = system.source("sparse.img");
    await writeFile(path, "");
    await truncate(path, 20 * MiB + 1);
    const record = await system.ended(await system.pull("sparse.img"));
    await system.expectDelivered(record, await versionOf(path));
    await system.expectTidy();
  });

  test.each([
    ["Grüße an 東京 🍣.txt", "Grüße an 東京 🍣.txt"],
    ["....hidden", "hidden"],
    [`"it's" <a> 'name'?.csv`, "_it's_ _a_ 'name'_.csv"],
    ["line\nbreak.txt", "linebreak.txt"],
    ["con.txt", "_con.txt"],
    ["..\\..\\up.txt", "up.txt"],
    ["reports/2026/day.csv", "day.csv"],
    ["x".repeat(240) + ".csv", "x".repeat(180) + ".csv"],
  ])("named %p", async (name, published) => {
    const path = system.source(name);
    await mkdir(dirname(path), { recursive: true });
    const wanted = await writeRandom(path, 10);
    const record = await system.ended(await system.pull(name));
    await system.expectDelivered(record, wanted);
    expect(record.file_path).toBe(name);
    expect(record.saved_path?.replace(/^site-1\/\d{8}_\d{6}_/, "")).toBe(published);
    await system.expectTidy();
  });

  test("two of the same file at once, under two names", async () => {
    const wanted = await writeRandom(system.source("twice.bin"), 8 * MiB);
    const ids = await Promise.all([system.pull("twice.bin"), system.pull("twice.bin")]);
    for (const id of ids) await system.expectDelivered(await system.ended(id), wanted);
    await system.expectTidy();
  });

  test("two of the same name in the same second, the second one with -2", async () => {
    await writeFile(system.source("quick.tar.gz"), "a");
    // Pairs are pulled until both downloads of one pair have ended in the same second.
    const second = await waitFor(async () => {
      const ids = [await system.pull("quick.tar.gz"), await system.pull("quick.tar.gz")];
      const records = await Promise.all(ids.map((id) => system.ended(id)));
      return records.map((record) => record.saved_path).find((path) => path?.includes("-2"));
    }, "two downloads that end in the same second");
    expect(second).toMatch(/^site-1\/\d{8}_\d{6}_quick\.tar-2\.gz$/);
    await system.expectTidy();
  });

  test.each([
    ["no/such.txt", "file_not_found"],
    [".", "not_a_regular_file"],
    ["../server.log", "access_denied"],
  ])("but %p fails with %s and leaves nothing", async (name, code) => {
    const record = await system.ended(await system.pull(name));
    expect(record).toMatchObject({ status: "failed", error_code: code, attempts: 1 });
    expect(record).toMatchObject({ md5: null, saved_path: null, bytes_received: 0 });
    await system.expectTidy();
  });
});

describe("chunks have the smaller of the two sizes:", () => {
  test.each([
    ["the server's", "64KiB", "256KiB"],
    ["the client's", "256KiB", "64KiB"],
  ])("%s", async (_, ofServer, ofClient) => {
    await using system = await System.start({ CHUNK_SIZE: ofServer });
    await system.startClient({ env: { CHUNK_SIZE: ofClient } });
    const wanted = await writeRandom(system.source("file"), 3 * MiB + 1);
    const record = await system.ended(await system.pull("file"));
    await system.expectDelivered(record, wanted);
    expect(record).toMatchObject({
      chunk_size: 64 * KiB,
      total_chunks: 49,
      chunks_received: 49,
      attempts: 1,
    });
  });
});

test("several clients send at once, each its own file", async () => {
  await using system = await System.start();
  const ids = ["site-1", "site-2", "site-3"];
  for (const id of ids) await system.startClient({ id });
  const wanted = await Promise.all(ids.map((id) => writeRandom(system.source(id), 8 * MiB)));
  const downloads = await Promise.all(ids.map((id) => system.pull(id, id)));
  for (const [at, download] of downloads.entries()) {
    const record = await system.ended(download);
    await system.expectDelivered(record, wanted[at]!);
    expect(record.saved_path).toStartWith(`${ids[at]}/`);
  }
  await system.expectTidy();
});

describe("a download that finds no slot waits for one to be free:", () => {
  test.each([
    ["of its client", { MAX_ACTIVE_DOWNLOADS_PER_CLIENT: "2" }],
    ["of the server", { MAX_ACTIVE_DOWNLOADS: "2", MAX_ACTIVE_DOWNLOADS_PER_CLIENT: "9" }],
  ])("%s", async (_, limits) => {
    await using system = await System.start(limits);
    await using proxy = await Proxy.listen(system.port);
    const wanted = await writeRandom(system.source("a"), MiB);
    await copyFile(system.source("a"), system.source("b"));
    await copyFile(system.source("a"), system.source("c"));
    const client = await system.startClient({ server: proxy.url });
    proxy.hold("up");
    const [a, b, c] = [await system.pull("a"), await system.pull("b"), await system.pull("c")];
    const requested = () => client.log().filter(({ message }) => message === "file requested");
    await waitFor(() => requested().length === 2, "two files to be requested");
    expect(await system.api.download(c)).toMatchObject({ status: "queued", attempts: 0 });
    expect(await system.api.health()).toMatchObject({ active_downloads: 2 });

    await system.api.cancel(a);
    await waitFor(() => requested().length === 3, "the third file to be requested");
    // The first two downloads start concurrently, so either may be requested first.
    const paths = requested().map((line) => line["file_path"]);
    expect(paths.slice(0, 2).toSorted()).toEqual(["a", "b"]);
    expect(paths[2]).toBe("c");
    proxy.release("up");
    for (const id of [b, c]) await system.expectDelivered(await system.ended(id), wanted);
    await system.expectTidy();
  });
});
