import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Program } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { Random } from "../support/random.ts";
import { S3System } from "../support/s3-system.ts";
import { md5OfBytes, type Version, writeRandom } from "../support/sources.ts";
import { API_TOKEN } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * A server whose files are in S3 (FLEET, "Several servers"), and its rows in Postgres where a test does not
 * say otherwise: what holds on a disk holds there.
 */

const MiB = 1024 * 1024;
const SIZE = 61 * MiB + 12_345;
const WHEN = 45 * MiB;
/** So much may be written and not safe: four segments. */
const UNSAFE = 32 * MiB;
/** S3 alone, without Postgres. */
const IN_A_FILE = { DATABASE_URL: "sqlite://state.db" };
/** So little is granted ahead that most of what the client sent is safe. */
const WINDOW = 4 * MiB;

interface Setup extends AsyncDisposable {
  s3System: S3System;
  proxy: Proxy;
  client: Program;
  wanted: Version;
}

/** A client behind a proxy, with a file of many segments. */
async function setUp(env: Record<string, string> = {}): Promise<Setup> {
  const s3System = await S3System.start(env);
  const { system } = s3System;
  const proxy = await Proxy.listen(system.port);
  return {
    s3System,
    proxy,
    wanted: await writeRandom(system.source("file"), SIZE),
    client: await system.startClient({ server: proxy.url }),
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await s3System[Symbol.asyncDispose]();
    },
  };
}

/** The offset at which a client was last asked to begin. */
function requestedFrom(client: Program): number {
  const requests = client.log().filter(({ message }) => message === "file requested");
  return Number(requests.at(-1)?.["offset"]);
}

test("files of any size are delivered, and served whole and by ranges", async () => {
  await using s3System = await S3System.start(IN_A_FILE);
  const { system } = s3System;
  await system.startClient();
  for (const size of [0, 1, 300_000, 8 * MiB, 8 * MiB + 1, 21 * MiB]) {
    const wanted = await writeRandom(system.source(`file-${size}`), size);
    const record = await system.ended(await system.pull(`file-${size}`));
    s3System.expectDelivered(record, wanted);
    const path = `/api/downloads/${record.download_id}/content`;
    const whole = await s3System.ask(path);
    expect([whole.status, md5OfBytes(await whole.bytes())]).toEqual([200, wanted.md5]);
    if (size < 3) continue;
    const part = await s3System.ask(path, { Range: `bytes=1-${size - 2}` });
    const stored = s3System.stored(record.saved_path ?? "") ?? new Uint8Array();
    expect(part.status).toBe(206);
    expect(Buffer.from(await part.bytes()).equals(stored.subarray(1, size - 1))).toBe(true);
  }
  await s3System.expectTidy();
  expect(s3System.published).toHaveLength(6);
});

test("a server that is killed goes on from what is safe in S3", async () => {
  await using setup = await setUp({ ...IN_A_FILE, RECEIVE_BUDGET: String(2 * WINDOW) });
  const { s3System, proxy, client, wanted } = setup;
  const { system, s3 } = s3System;
  const killed = proxy.after("up", WHEN, () => system.server.signal("SIGKILL"));
  const downloadId = await system.pull("file");
  await killed;
  await system.server.ended();
  expect(s3System.pieces.length).toBeGreaterThan(0);
  await system.restartServer();
  const record = await system.ended(downloadId);
  s3System.expectDelivered(record, wanted);
  expect(requestedFrom(client)).toBeGreaterThanOrEqual(WHEN - UNSAFE - WINDOW - MiB);
  await s3System.expectTidy();
  expect(s3.keys).toHaveLength(1);
});

test("a server that is told to stop keeps what has arrived", async () => {
  await using setup = await setUp({ RECEIVE_BUDGET: String(2 * WINDOW) });
  const { s3System, proxy, client, wanted } = setup;
  const { system } = s3System;
  const stopped = proxy.after("up", WHEN, () => system.server.signal("SIGTERM"));
  const downloadId = await system.pull("file");
  await stopped;
  expect(await system.server.ended()).toBe(0);
  await system.restartServer();
  const record = await system.ended(downloadId);
  s3System.expectDelivered(record, wanted);
  expect(requestedFrom(client)).toBeGreaterThanOrEqual(WHEN - 2 * WINDOW - MiB);
  await s3System.expectTidy();
});

test("a download that is cancelled leaves nothing in S3", async () => {
  await using setup = await setUp();
  const { s3System, proxy } = setup;
  const { system } = s3System;
  const come = proxy.after("up", WHEN, () => undefined);
  const downloadId = await system.pull("file");
  await come;
  await system.api.cancel(downloadId);
  await s3System.expectTidy();
  expect(s3System.published).toEqual([]);
});

test("an S3 that is away is waited for, and health says so meanwhile", async () => {
  await using setup = await setUp();
  const { s3System, proxy, wanted } = setup;
  const { system, s3 } = s3System;
  const come = proxy.after("up", WHEN, () => s3.goAway());
  const downloadId = await system.pull("file");
  await come;
  const health = await waitFor(async () => {
    const answer = await s3System.ask("/health");
    return answer.status === 503 ? answer.json() : null;
  }, "the server to see that S3 is away");
  expect(health).toEqual({
    code: "unavailable",
    error: expect.stringMatching(/^The storage is away: cannot use the bucket: S3: /),
  });
  expect((await s3System.ask("/live")).status).toBe(200);
  s3.comeBack();
  const record = await system.ended(downloadId);
  s3System.expectDelivered(record, wanted);
  expect(record.attempts).toBe(1);
  await waitFor(
    async () => (await s3System.ask("/health")).ok,
    "the server to see that S3 is back",
  );
  await s3System.expectTidy();
});

test("a server that is told to stop while S3 is away ends in time, and loses nothing", async () => {
  await using setup = await setUp();
  const { s3System, proxy, wanted } = setup;
  const { system, s3 } = s3System;
  const come = proxy.after("up", WHEN, () => s3.goAway());
  const downloadId = await system.pull("file");
  await come;
  system.server.signal("SIGTERM");
  expect(await system.server.ended()).toBe(0);
  s3.comeBack();
  await system.restartServer();
  s3System.expectDelivered(await system.ended(downloadId), wanted);
  await s3System.expectTidy();
});

test("answers of 500, 503 and those that break off are not seen by anybody", async () => {
  const random = new Random(11);
  await using setup = await setUp();
  const { s3System, wanted } = setup;
  const { system, s3 } = s3System;
  const faults = [
    { status: 500, code: "InternalError" },
    { status: 503, code: "SlowDown" },
    "cut",
  ] as const;
  s3.fault = () => (random.float() < 0.3 ? random.pick(faults) : null);
  const record = await system.ended(await system.pull("file"));
  s3System.expectDelivered(record, wanted);
  expect(record.attempts).toBe(1);
  s3.fault = () => null;
  await s3System.expectTidy();
});

test("a bucket that is full makes the download wait, until there is room", async () => {
  await using setup = await setUp();
  const { s3System, wanted } = setup;
  const { system, s3 } = s3System;
  let isFull = true;
  s3.fault = (request) =>
    isFull && request.startsWith("PUT") ? { status: 403, code: "QuotaExceeded" } : null;
  const downloadId = await system.pull("file");
  await waitFor(async () => {
    const { status, error_code } = await system.api.download(downloadId);
    return status === "queued" && error_code === "storage_full";
  }, "the download to wait for room");
  isFull = false;
  s3System.expectDelivered(await system.ended(downloadId), wanted);
});

test("what is removed has no key any more, and a set that shares with it stays whole", async () => {
  await using s3System = await S3System.start();
  const { system } = s3System;
  await mkdir(join(system.folder, "root/logs"));
  for (const name of ["a", "b"]) {
    await writeFile(join(system.folder, "root/logs", name), name.repeat(10));
    await utimes(join(system.folder, "root/logs", name), 1_700_000_000, 1_700_000_000);
  }
  await writeRandom(system.source("one.bin"), 1_000);
  await system.startClient();
  const pullSet = async () => {
    const what = { client_id: "site-1", paths: ["logs"], unchanged: "skip" as const };
    return system.ended((await system.api.startDownload(what)).download_id);
  };
  const [first, second] = [await pullSet(), await pullSet()];
  expect(second).toMatchObject({ files_unchanged: 2 });
  const file = await system.ended(await system.pull("one.bin"));
  // A copy inside S3 takes its own room.
  expect(await system.metric("fds_stored_bytes")).toBe(1_040);
  for (const { download_id } of [first, file]) await system.api.removeContent(download_id);
  expect(await system.metric("fds_stored_bytes")).toBe(20);
  const own = (path: string) => path.startsWith(`${second.saved_path}`);
  expect(s3System.published.filter((path) => !own(path))).toEqual([]);
  expect(s3System.published).toHaveLength(3);
  expect(await system.api.removeContent(second.download_id)).toMatchObject({
    removed_at: expect.any(String),
  });
  expect(s3System.published).toEqual([]);
});

test("a quota counts what is in the bucket", async () => {
  await using s3System = await S3System.start({ QUOTA_PER_CLIENT: "1MiB" });
  const { system } = s3System;
  await system.startClient();
  await writeRandom(system.source("a"), 700_000);
  await writeRandom(system.source("b"), 700_000);
  await system.ended(await system.pull("a"));
  const waiting = await system.pull("b");
  await waitFor(async () => {
    const { error_code } = await system.api.download(waiting);
    return error_code === "storage_full";
  }, "the second one to wait");
  for (const path of s3System.published) s3System.s3.objects.delete(`sites/${path}`);
  expect((await system.ended(waiting)).status).toBe("completed");
});

test("a set is published by its checksums, served as files, and not sent again", async () => {
  await using s3System = await S3System.start();
  const { system } = s3System;
  const root = join(system.folder, "root");
  await mkdir(join(root, "logs/deep/er"), { recursive: true });
  for (let n = 0; n < 30; n++)
    await writeFile(join(root, "logs", `day ${n}.log`), `${n}\n`.repeat(n));
  const large = await writeRandom(join(root, "logs/deep/large.bin"), 19 * MiB);
  await writeFile(join(root, "logs/deep/er/empty.txt"), "");
  await system.startClient();
  const pull = async () => {
    const answer = await fetch(`${system.url}/api/download`, {
      method: "POST",
      body: JSON.stringify({ client_id: "site-1", paths: ["logs"], unchanged: "skip" }),
      headers: { Authorization: `Bearer ${API_TOKEN}`, "Content-Type": "application/json" },
    });
    const { download_id } = (await answer.json()) as { download_id: string };
    return system.ended(download_id);
  };
  const first = await pull();
  expect(first).toMatchObject({ status: "completed", files_received: 32, files_skipped: 0 });
  const sums = s3System.stored(`${first.saved_path}.md5`);
  expect(md5OfBytes(sums ?? new Uint8Array())).toBe(first.md5 ?? "");
  for (const line of new TextDecoder()
    .decode(sums ?? undefined)
    .trimEnd()
    .split("\n")) {
    const [md5 = "", path = ""] = line.split("  ");
    expect(md5OfBytes(s3System.stored(`site-1/${path}`) ?? new Uint8Array())).toBe(md5);
  }
  const content = `/api/downloads/${first.download_id}/content`;
  const one = await s3System.ask(`${content}?path=logs/deep/large.bin`);
  expect(md5OfBytes(await one.bytes())).toBe(large.md5);
  const tar = await (await s3System.ask(content)).bytes();
  expect(tar.length).toBeGreaterThan(19 * MiB);
  await s3System.expectTidy();

  const second = await pull();
  expect(second.status).toBe("completed");
  expect(second.files_received! + second.files_unchanged!).toBe(32);
  expect(s3System.published).toHaveLength(2 * 33);
  await s3System.expectTidy();
});

test("a set goes on after a server that is killed in the middle of it", async () => {
  await using s3System = await S3System.start();
  const { system } = s3System;
  const proxy = await Proxy.listen(system.port);
  await using _ = proxy;
  const wanted = new Map<string, string>();
  for (let n = 0; n < 40; n++) {
    const name = `file-${String(n).padStart(2, "0")}`;
    wanted.set(name, (await writeRandom(system.source(name), n === 20 ? 20 * MiB : 150_000)).md5);
  }
  await system.startClient({ server: proxy.url });
  const killed = proxy.after("up", 15 * MiB, () => system.server.signal("SIGKILL"));
  const { download_id } = await system.api.startDownload({
    client_id: "site-1",
    paths: ["file-*"],
  });
  await killed;
  await system.server.ended();
  await system.restartServer();
  const record = await system.ended(download_id);
  expect(record).toMatchObject({ status: "completed", files_total: 40, files_skipped: 0 });
  for (const [name, md5] of wanted) {
    const stored = s3System.stored(`${record.saved_path}/${name}`);
    expect([name, stored && md5OfBytes(stored)]).toEqual([name, md5]);
  }
  await s3System.expectTidy();
});

test("no log has the secret", async () => {
  await using s3System = await S3System.start({ LOG_LEVEL: "debug" });
  const { system, s3 } = s3System;
  await system.startClient();
  await writeRandom(system.source("file"), 10_000);
  s3.fault = (request) =>
    request.startsWith("PUT") ? { status: 403, code: "AccessDenied" } : null;
  const record = await system.ended(await system.pull("file"));
  expect(record).toMatchObject({
    status: "failed",
    error_code: "storage_error",
    error: expect.stringContaining("S3: AccessDenied (403)"),
  });
  for (const program of system.programs) {
    expect(JSON.stringify(program.log())).not.toContain(s3.secretAccessKey);
  }
});
