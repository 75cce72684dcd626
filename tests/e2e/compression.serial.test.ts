import { expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { Proxy } from "../support/proxy.ts";
import { Random } from "../support/random.ts";
import { logLines, versionOf } from "../support/sources.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Compression over a slow link: a log is sent compressed, random bytes are sent as they are. Serial, because
 * the client measures whether compression saves time, and other load on the processor would change that.
 */

const KiB = 1024;
const MiB = 1024 * KiB;
/** Bytes per second (5 Mbit/s). Any processor compresses faster than this, even a busy one. */
const SLOW = 0.625 * MiB;

const TEXT = logLines(new Random(1), 4 * MiB);
const NOISE = randomBytes(2 * MiB);

/** A server, and a client whose connection passes through a slow proxy. */
class SlowLink implements AsyncDisposable {
  private constructor(
    readonly system: System,
    readonly proxy: Proxy,
  ) {}

  static async open(env: Record<string, string> = {}): Promise<SlowLink> {
    const system = await System.start({ RECEIVE_BUDGET: "2MiB" });
    const proxy = await Proxy.listen(system.port);
    proxy.shape({ bytesPerSecond: SLOW });
    await system.startClient({ server: proxy.url, env });
    return new SlowLink(system, proxy);
  }

  /**
   * Pulls a file with these bytes. @returns its record, and `share`: bytes on the link / bytes of the file
   */
  async pulled(bytes: Uint8Array) {
    const { system, proxy } = this;
    await Bun.write(system.source("file"), bytes);
    const before = proxy.carried.up;
    const record = await system.ended(await system.pull("file"));
    const carried = proxy.carried.up - before;
    await system.expectDelivered(record, await versionOf(system.source("file")));
    // The link also carries headers, control messages and pings.
    expect(carried).toBeGreaterThanOrEqual(record.bytes_on_wire);
    // After a cut, the proxy has also carried bytes that never reached the server.
    if (record.attempts === 1) expect(carried).toBeLessThan(record.bytes_on_wire * 1.01 + 20 * KiB);
    return { record, share: carried / bytes.length };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy[Symbol.asyncDispose]();
    await this.system[Symbol.asyncDispose]();
  }
}

test.concurrent("a log passes as a third of itself, or less", async () => {
  await using link = await SlowLink.open();
  const { record, share } = await link.pulled(TEXT);
  expect(share).toBeLessThan(0.35);
  expect(record.attempts).toBe(1);
  expect(await link.system.metric("fds_received_bytes_total")).toBe(TEXT.length);
  expect(await link.system.metric("fds_received_wire_bytes_total")).toBe(record.bytes_on_wire);
});

test.concurrent("random bytes pass as they are", async () => {
  await using link = await SlowLink.open();
  const { record, share } = await link.pulled(NOISE);
  expect(record.bytes_on_wire).toBe(NOISE.length);
  expect(share).toBeLessThan(1.02);
});

test.concurrent("a log with random bytes behind it passes as that", async () => {
  await using link = await SlowLink.open();
  const { share } = await link.pulled(Buffer.concat([TEXT, NOISE]));
  expect(share).toBeLessThan(0.7);
});

test.concurrent("a client that is told not to compress sends all as it is", async () => {
  await using link = await SlowLink.open({ COMPRESSION: "off" });
  const text = TEXT.subarray(0, 2 * MiB);
  const { record } = await link.pulled(text);
  expect(record.bytes_on_wire).toBe(text.length);
});

test.concurrent(
  "a compressed file that is cut off goes on where it was, and counts all that came",
  async () => {
    await using link = await SlowLink.open();
    const { system, proxy } = link;
    const struck = proxy.after("up", 600 * KiB, () => proxy.cut("rst"));
    const { record, share } = await link.pulled(TEXT);
    await struck;
    expect(record.attempts).toBe(2);
    expect(share).toBeLessThan(0.7);
    await system.expectTidy();
  },
);

test.concurrent("a server that is killed still knows what came before", async () => {
  await using link = await SlowLink.open();
  const { system, proxy } = link;
  await Bun.write(system.source("file"), TEXT);
  const struck = proxy.after("up", 600 * KiB, () => system.server.signal("SIGKILL"));
  const id = await system.pull("file");
  await struck;
  await system.restartServer();
  const record = await system.ended(id);
  await system.expectDelivered(record, await versionOf(system.source("file")));
  // Bytes that were not yet durable when the server was killed are sent a second time.
  const once = Bun.zstdCompressSync(TEXT, { level: 1 }).length;
  expect(record.attempts).toBe(2);
  expect(record.bytes_on_wire).toBeGreaterThan(0.9 * once);
  expect(record.bytes_on_wire).toBeLessThan(TEXT.length / 2);
});
