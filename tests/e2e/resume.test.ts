import { expect, setDefaultTimeout, test } from "bun:test";
import type { Program } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { type Version, writeRandom } from "../support/sources.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* Downloads that continue after the server or the client was stopped and started again. */

const MiB = 1024 * 1024;
const SIZE = 20 * MiB;
const WHEN = 12 * MiB;
/** The server's receive budget, in bytes. It limits how many received bytes are not durable yet. */
const WINDOW = 4 * MiB;

interface Setup extends AsyncDisposable {
  system: System;
  proxy: Proxy;
  client: Program;
  wanted: Version;
}

async function setUp(env: Record<string, string> = {}): Promise<Setup> {
  const system = await System.start({ RECEIVE_BUDGET: String(WINDOW), ...env });
  const proxy = await Proxy.listen(system.port);
  return {
    system,
    proxy,
    wanted: await writeRandom(system.source("file"), SIZE),
    client: await system.startClient({ server: proxy.url }),
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await system[Symbol.asyncDispose]();
    },
  };
}

/** Returns the offset from which the server last requested the file, by the client's log. */
function requestedFrom(client: Program): number {
  const requests = client.log().filter(({ message }) => message === "file requested");
  return Number(requests.at(-1)?.["offset"]);
}

test("a server that is told to stop keeps what has arrived, and goes on from there", async () => {
  await using setup = await setUp();
  const { system, proxy, client, wanted } = setup;
  const stopped = proxy.after("up", WHEN, () => system.server.signal("SIGTERM"));
  const downloadId = await system.pull("file");
  await stopped;
  const begun = performance.now();
  expect(await system.server.ended()).toBe(0);
  expect(performance.now() - begun).toBeLessThan(10_000);
  await client.waitForLine(/not connected: shutting_down/);

  await system.restartServer();
  const record = await system.ended(downloadId);
  await system.expectDelivered(record, wanted);
  expect(record.attempts).toBe(2);
  expect(requestedFrom(client)).toBeGreaterThanOrEqual(WHEN - WINDOW - MiB);
  await system.expectTidy();
});

test("a client that is told to stop ends in good order, and goes on when it is started again", async () => {
  await using setup = await setUp();
  const { system, proxy, client, wanted } = setup;
  const stopped = proxy.after("up", WHEN, () => client.signal("SIGTERM"));
  const downloadId = await system.pull("file");
  await stopped;
  expect(await client.ended()).toBe(0);
  await client.restart();
  const record = await system.ended(downloadId);
  await system.expectDelivered(record, wanted);
  expect(record.attempts).toBe(2);
  expect(requestedFrom(client)).toBeGreaterThanOrEqual(WHEN - WINDOW - MiB);
  await system.expectTidy();
});

test("a server that was started again waits for the client, and keeps what is safe", async () => {
  await using setup = await setUp();
  const { system, proxy, client, wanted } = setup;
  const killed = proxy.after("up", WHEN, () => client.signal("SIGKILL"));
  const downloadId = await system.pull("file");
  await killed;
  const waiting = await waitFor(async () => {
    const record = await system.api.download(downloadId);
    return record.status === "queued" && record;
  }, "the download to wait for its client");
  system.server.signal("SIGKILL");
  await system.restartServer();

  expect(await system.api.download(downloadId)).toEqual(waiting);
  expect(await system.api.clients()).toMatchObject([{ client_id: "site-1", connected: false }]);
  await client.restart();
  await system.expectDelivered(await system.ended(downloadId), wanted);
  expect(requestedFrom(client)).toBe(waiting.bytes_received);
  await system.expectTidy();
});

test("a download of a client that is away waits until it is there", async () => {
  await using setup = await setUp();
  const { system, client, wanted } = setup;
  client.signal("SIGKILL");
  await waitFor(
    async () => (await system.api.health()).connected_clients === 0,
    "the server to notice",
  );
  const refused = system.api.startDownload({ client_id: "site-1", if_offline: "fail" });
  await expect(refused).rejects.toMatchObject({ status: 409, code: "client_not_connected" });
  const unknown = system.api.startDownload({ client_id: "site-9" });
  await expect(unknown).rejects.toMatchObject({ status: 404, code: "client_not_found" });

  const downloadId = await system.pull("file");
  expect(await system.api.download(downloadId)).toMatchObject({ status: "queued", attempts: 0 });
  await client.restart();
  const record = await system.ended(downloadId);
  await system.expectDelivered(record, wanted);
  expect(record.attempts).toBe(1);
  await system.expectTidy();
});

test("a download that is cancelled stops at the client, leaves nothing and frees its slot", async () => {
  await using setup = await setUp({ MAX_ACTIVE_DOWNLOADS_PER_CLIENT: "1" });
  const { system, proxy, client, wanted } = setup;
  const reached = proxy.after("up", WHEN, () => proxy.hold("up"));
  const first = await system.pull("file");
  const second = await system.pull("file");
  await reached;
  expect(await system.api.download(second)).toMatchObject({ status: "queued" });

  const cancelled = await system.api.cancel(first);
  expect(cancelled).toMatchObject({ status: "cancelled", md5: null, saved_path: null });
  await client.waitForLine(/not sent: cancelled/);
  proxy.release("up");
  const record = await system.ended(second);
  await system.expectDelivered(record, wanted);
  expect(record.attempts).toBe(1);
  expect(await system.api.download(first)).toEqual(cancelled);
  // The client needed no second connection.
  expect(proxy.connections).toBe(1);
  await system.expectTidy();

  const again = system.api.cancel(first);
  await expect(again).rejects.toMatchObject({ status: 409, code: "download_already_ended" });
  const { download_id } = await system.api.retry(first);
  await system.expectDelivered(await system.ended(download_id), wanted);
  await system.expectTidy();
});

test("what is completed stays as it is, whatever happens to the server", async () => {
  await using setup = await setUp();
  const { system } = setup;
  const downloadId = await system.pull("file");
  const record = await system.ended(downloadId);
  system.server.signal("SIGKILL");
  await system.restartServer();
  expect(await system.api.download(downloadId)).toEqual(record);
  await system.expectTidy();
});
