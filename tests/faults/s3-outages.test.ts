import { expect, setDefaultTimeout, test } from "bun:test";
import type { Program } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { Random } from "../support/random.ts";
import { IN_A_FILE, type Setup, setUp } from "../support/s3-pulls.ts";
import { S3System } from "../support/s3-system.ts";
import { md5OfBytes, writeRandom } from "../support/sources.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* A server with its files in S3, while the client, the server or S3 is down for a while. */

const MiB = 1024 * 1024;

const WHEN = 45 * MiB;
/** The most bytes that the server may have received without storing them in S3: four segments. */
const UNSAFE = 32 * MiB;

/** Bytes that a client may send ahead. They are few, so that most of the sent bytes are already stored. */
const WINDOW = 4 * MiB;

/** Returns the offset from which the server last requested the file, by the client's log. */
function requestedFrom(client: Program): number {
  const requests = client.log().filter(({ message }) => message === "file requested");
  return Number(requests.at(-1)?.["offset"]);
}

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

/** Pulls most of the file, then makes S3 unreachable. @returns the id of the download */
async function pullUntilAway({ s3System, proxy }: Setup): Promise<string> {
  const away = proxy.after("up", WHEN, () => s3System.s3.goAway());
  const downloadId = await s3System.system.pull("file");
  await away;
  return downloadId;
}

test("an S3 that is away is waited for, and health says so meanwhile", async () => {
  await using setup = await setUp();
  const { s3System, wanted } = setup;
  const { system, s3 } = s3System;
  const downloadId = await pullUntilAway(setup);
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
  const { s3System, wanted } = setup;
  const { system, s3 } = s3System;
  const downloadId = await pullUntilAway(setup);
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
