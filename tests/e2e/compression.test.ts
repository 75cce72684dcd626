import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { HEADER_BYTES } from "../../lib/protocol/frame.ts";
import { parseMetrics, valueOf } from "../support/prometheus.ts";
import { Proxy } from "../support/proxy.ts";
import { Random } from "../support/random.ts";
import {
  damaged,
  frame,
  REGISTER,
  type Request,
  ScriptedClient,
  withHeader,
} from "../support/scripted-client.ts";
import { ScriptedServer } from "../support/scripted-server.ts";
import { logLines, versionOf } from "../support/sources.ts";
import { API_TOKEN, ENROLL_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

const KiB = 1024;
const MiB = 1024 * KiB;
/** 20 Mbit/s, which any processor compresses faster than. */
const SLOW = 2.5 * MiB;

const TEXT = logLines(new Random(1), 4 * MiB);
const NOISE = randomBytes(4 * MiB);

let system: System;
let proxy: Proxy;

beforeAll(async () => {
  system = await System.start({ RECEIVE_BUDGET: "2MiB" });
  proxy = await Proxy.listen(system.port);
  proxy.shape({ bytesPerSecond: SLOW });
  await system.startClient({ server: proxy.url });
  await system.startClient({ id: "plain", server: proxy.url, env: { COMPRESSION: "off" } });
});
afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await system?.[Symbol.asyncDispose]();
});

async function metric(name: string): Promise<number> {
  const headers = { Authorization: `Bearer ${API_TOKEN}` };
  const page = await fetch(`${system.url}/metrics`, { headers });
  return valueOf(parseMetrics(await page.text()), name);
}

/** Pulls a file of these bytes over the slow link; gives the part of them that passed it. */
async function pulled(bytes: Uint8Array, client = "site-1") {
  await Bun.write(system.source("file"), bytes);
  const before = proxy.carried.up;
  const record = await system.ended(await system.pull("file", client));
  const carried = proxy.carried.up - before;
  await system.expectDelivered(record, await versionOf(system.source("file")));
  // What is beside them: headers, control messages, pings.
  expect(carried).toBeGreaterThanOrEqual(record.bytes_on_wire);
  // What a cut connection lost never came.
  if (record.attempts === 1) expect(carried).toBeLessThan(record.bytes_on_wire * 1.01 + 20 * KiB);
  return { record, share: carried / bytes.length };
}

describe("over a slow link", () => {
  test("a log passes as a third of itself, or less", async () => {
    const wire = await metric("fds_received_wire_bytes_total");
    const raw = await metric("fds_received_bytes_total");
    const { record, share } = await pulled(TEXT);
    expect(share).toBeLessThan(0.35);
    expect(record.attempts).toBe(1);
    expect((await metric("fds_received_bytes_total")) - raw).toBe(TEXT.length);
    expect((await metric("fds_received_wire_bytes_total")) - wire).toBe(record.bytes_on_wire);
  });

  test("random bytes pass as they are", async () => {
    const { record, share } = await pulled(NOISE);
    expect(record.bytes_on_wire).toBe(NOISE.length);
    expect(share).toBeLessThan(1.02);
  });

  test("half a log and half random bytes pass as that", async () => {
    const { share } = await pulled(Buffer.concat([TEXT, NOISE]));
    expect(share).toBeLessThan(0.7);
  });

  test("a client that is told not to compress sends all as it is", async () => {
    const { record } = await pulled(TEXT, "plain");
    expect(record.bytes_on_wire).toBe(TEXT.length);
  });

  test("a compressed file that is cut off goes on where it was, and counts all that came", async () => {
    const struck = proxy.after("up", 600 * KiB, () => proxy.cut("rst"));
    const { record, share } = await pulled(TEXT);
    await struck;
    expect(record.attempts).toBe(2);
    expect(share).toBeLessThan(0.7);
    await system.expectTidy();
  });

  test("a server that is killed still knows what came before", async () => {
    await Bun.write(system.source("file"), TEXT);
    const struck = proxy.after("up", 600 * KiB, () => system.server.signal("SIGKILL"));
    const id = await system.pull("file");
    await struck;
    await system.restartServer();
    const record = await system.ended(id);
    await system.expectDelivered(record, await versionOf(system.source("file")));
    // What was not recorded as safe came again.
    const once = Bun.zstdCompressSync(TEXT, { level: 1 }).length;
    expect(record.attempts).toBe(2);
    expect(record.bytes_on_wire).toBeGreaterThan(0.9 * once);
    expect(record.bytes_on_wire).toBeLessThan(TEXT.length / 2);
  });
});

describe("a chunk that came compressed", () => {
  const bytes = TEXT.slice(0, 3 * REGISTER.chunk_size);

  /** The frame of a chunk of the file, compressed. */
  function packedFrame(request: Request, index: number) {
    const offset = index * REGISTER.chunk_size;
    const raw = bytes.subarray(offset, offset + REGISTER.chunk_size);
    return frame(request, offset, raw, Bun.zstdCompressSync(raw));
  }

  function sendFrom(client: ScriptedClient, request: Request, first: number): void {
    for (const index of [0, 1, 2].slice(first)) client.sendRaw(packedFrame(request, index));
    client.complete(request, bytes);
  }

  async function asked() {
    const client_id = `scripted-${Bun.randomUUIDv7()}`;
    const fields = { client_id, enroll_token: ENROLL_TOKEN };
    const client = await ScriptedClient.register(system.url, fields);
    const id = await system.pull("data", client_id);
    const request = await client.next("download_request");
    expect(request.accepts).toEqual(["zstd"]);
    client.start(request, bytes);
    return { client, id, request };
  }

  test("and is damaged is asked for again, with all that came behind it", async () => {
    const { client, id, request } = await asked();
    await using _ = client;
    const failures = await metric("fds_crc_failures_total");
    const resent = await metric("fds_resent_bytes_total");
    client.sendRaw(packedFrame(request, 0));
    client.sendRaw(damaged(packedFrame(request, 1), HEADER_BYTES + 100));
    client.sendRaw(packedFrame(request, 2));
    client.complete(request, bytes);
    expect(await client.next("resend")).toMatchObject({ offset: REGISTER.chunk_size });
    sendFrom(client, request, 1);
    expect(await system.ended(id)).toMatchObject({ status: "completed", attempts: 1 });
    expect((await metric("fds_crc_failures_total")) - failures).toBe(1);
    expect((await metric("fds_resent_bytes_total")) - resent).toBe(2 * REGISTER.chunk_size);
  });

  test("and lies about its length is asked for 3 times, then the download fails", async () => {
    const { client, id, request } = await asked();
    await using _ = client;
    const lie = () => {
      const raw = bytes.subarray(0, 1000);
      const bomb = Bun.zstdCompressSync(new Uint8Array(1000 * KiB));
      client.sendRaw(frame(request, 0, raw, bomb));
    };
    lie();
    for (let time = 1; time <= 3; time++) {
      expect(await client.next("resend")).toMatchObject({ offset: 0 });
      lie();
    }
    const record = await system.ended(id);
    expect(record).toMatchObject({ status: "failed", error_code: "checksum_mismatch" });
    expect(record.error).toBe("the chunk at 0 came damaged 4 times");
    expect(client.isOpen).toBe(true);
  });

  test("and is said to be more than was agreed on ends the connection", async () => {
    const { client, id, request } = await asked();
    await using _ = client;
    client.sendRaw(withHeader(packedFrame(request, 0), 18, 0, 1, 0, 1));
    expect((await client.closed).reason).toMatch(/^protocol_error: .* over the agreed 65536/);
    await system.api.cancel(id);
  });
});

test.each([
  ["does not say that it takes zstd", undefined, false],
  ["takes only what is not known here", ["brotli"], false],
  ["takes zstd among others", ["brotli", "zstd"], true],
])("to a server that %s", async (_, accepts, isCompressed) => {
  await using server = new ScriptedServer();
  await Bun.write(system.source("old"), TEXT.subarray(0, 256 * KiB));
  const started = system.startClient({ id: `to-${Bun.randomUUIDv7()}`, server: server.url });
  const connection = await server.accept();
  await connection.admit();
  await started;
  connection.request(1, "old", { accepts });
  await connection.first("file_complete");
  const compressed = connection.all("frame").map((each) => each.compressed);
  expect(compressed).toContain(isCompressed);
  expect(compressed).not.toContain(!isCompressed);
});
