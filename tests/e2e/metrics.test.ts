import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { HEADER_BYTES } from "../../lib/protocol/frame.ts";
import { ON_S3 } from "../support/backend.ts";
import { Proxy } from "../support/proxy.ts";
import { type Family, parseMetrics, valueOf } from "../support/prometheus.ts";
import {
  damaged,
  frame,
  REGISTER,
  type Request,
  ScriptedClient,
} from "../support/scripted-client.ts";
import { writeRandom } from "../support/sources.ts";
import { API_TOKEN, ENROLL_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

const MiB = 1024 * 1024;
const SIZE = 30 * MiB;
const TOKEN = { Authorization: `Bearer ${API_TOKEN}` };

let system: System;
let proxy: Proxy;

beforeAll(async () => {
  system = await System.start({ RECEIVE_BUDGET: "8MiB" });
  proxy = await Proxy.listen(system.port);
  await writeRandom(system.source("file"), SIZE);
  await system.startClient({ server: proxy.url });
});
afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await system?.[Symbol.asyncDispose]();
});

async function scrape(): Promise<Map<string, Family>> {
  const response = await fetch(`${system.url}/metrics`, { headers: TOKEN });
  expect(response.headers.get("Content-Type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  return parseMetrics(await response.text());
}

/** Returns how much a metric has increased since the earlier scrape. */
async function risen(name: string, before: Map<string, Family>, labels = {}): Promise<number> {
  return valueOf(await scrape(), name, labels) - valueOf(before, name, labels);
}

describe("what is measured", () => {
  test("can be read, and names no client and no file", async () => {
    await system.ended(await system.pull("file"));
    const families = await scrape();
    expect(families.size).toBeGreaterThan(20);
    for (const [name, { help, samples }] of families) {
      expect(name).toStartWith("fds_");
      expect(help).toEndWith(".");
      for (const { labels } of samples) {
        expect(Object.values(labels).join()).not.toMatch(/site-1|file/);
      }
    }
    expect(valueOf(families, "fds_connected_clients")).toBe(1);
    expect(valueOf(families, "fds_active_transfers")).toBe(0);
    expect(valueOf(families, "fds_credit_outstanding_bytes")).toBe(0);
    // With files in S3, half of RECEIVE_BUDGET is reserved for bytes that wait to be uploaded.
    expect(valueOf(families, "fds_credit_budget_bytes")).toBe(ON_S3 === "" ? 8 * MiB : 4 * MiB);
    if (ON_S3 === "") {
      const free = valueOf(families, "fds_disk_free_bytes");
      expect(valueOf(families, "fds_disk_size_bytes")).toBeGreaterThan(free);
    }
    expect(valueOf(families, "fds_process_resident_memory_bytes")).toBeGreaterThan(MiB);
    expect(valueOf(families, "fds_build_info", { version: "1.0.0" })).toBe(1);
  });

  test("counts a download and its bytes once", async () => {
    const before = await scrape();
    await system.ended(await system.pull("file"));
    expect(await risen("fds_received_bytes_total", before)).toBe(SIZE);
    expect(await risen("fds_resent_bytes_total", before)).toBe(0);
    expect(await risen("fds_resumed_bytes_total", before)).toBe(0);
    expect(await risen("fds_downloads_ended_total", before, { status: "completed" })).toBe(1);
    expect(await risen("fds_downloads", before, { status: "completed" })).toBe(1);
    expect(await risen("fds_download_size_bytes_sum", before)).toBe(SIZE);
    expect(await risen("fds_download_duration_seconds_count", before)).toBe(1);
  });

  test("tells what a break cost, and what going on saved", async () => {
    const before = await scrape();
    const struck = proxy.after("up", 20 * MiB, () => proxy.cut("rst"));
    const id = await system.pull("file");
    await struck;
    await system.ended(id);
    const received = await risen("fds_received_bytes_total", before);
    const resumed = await risen("fds_resumed_bytes_total", before);
    expect(resumed).toBeGreaterThan(MiB);
    expect(resumed).toBeLessThanOrEqual(20 * MiB);
    expect(received).toBeGreaterThanOrEqual(SIZE);
    expect(await risen("fds_client_registrations_total", before)).toBe(1);
    expect(await risen("fds_client_reconnects_total", before)).toBe(1);
  });

  describe("by a client that", () => {
    const bytes = new Uint8Array(1000);

    /** Pulls a file from a scripted client, which does what `act` says. */
    async function pulled(act: (client: ScriptedClient, request: Request) => Promise<void>) {
      const client_id = `scripted-${Bun.randomUUIDv7()}`;
      const fields = { client_id, enroll_token: ENROLL_TOKEN };
      await using client = await ScriptedClient.register(system.url, fields);
      const id = await system.pull("data", client_id);
      await act(client, await client.next("download_request"));
      expect((await system.ended(id)).status).toBe("completed");
    }

    test("sends a damaged chunk, and sends it again", async () => {
      const before = await scrape();
      await pulled(async (client, request) => {
        client.start(request, bytes);
        client.sendRaw(damaged(frame(request, 0, bytes), HEADER_BYTES));
        await client.next("resend");
        client.sendFrames(request, bytes);
        client.complete(request, bytes);
      });
      expect(await risen("fds_crc_failures_total", before)).toBe(1);
      expect(await risen("fds_resent_bytes_total", before)).toBe(1000);
      expect(await risen("fds_received_bytes_total", before)).toBe(2000);
    });

    test("says another MD5, and is asked for the whole file again", async () => {
      const before = await scrape();
      await pulled(async (client, request) => {
        client.start(request, bytes);
        client.sendFrames(request, bytes);
        client.complete(request, bytes, { md5: "0".repeat(32) });
        client.deliver(await client.next("download_request"), bytes);
      });
      expect(await risen("fds_checksum_failures_total", before)).toBe(1);
      expect(await risen("fds_resent_bytes_total", before)).toBe(1000);
      expect(await risen("fds_received_bytes_total", before)).toBe(2000);
    });
  });

  test("counts clients that are not let in, by why", async () => {
    const before = await scrape();
    for (const fields of [{ client_id: "site-1" }, { client_id: "new" }]) {
      const stranger = await ScriptedClient.connect(system.url);
      stranger.send({ ...REGISTER, key: "another-key-than-that-of-site-1", ...fields });
      await stranger.closed;
    }
    const name = "fds_refused_registrations_total";
    expect(await risen(name, before, { code: "key_mismatch" })).toBe(1);
    expect(await risen(name, before, { code: "enrolment_required" })).toBe(1);
    expect(await risen("fds_client_registrations_total", before)).toBe(0);
  });

  test("shows what goes on at the moment", async () => {
    proxy.shape({ bytesPerSecond: 4 * MiB });
    const id = await system.pull("file");
    const families = await waitFor(async () => {
      const found = await scrape();
      // Both values are awaited, because a scrape reads the rows some ms before the values in memory.
      const isSeen = valueOf(found, "fds_downloads", { status: "downloading" }) === 1;
      return isSeen && valueOf(found, "fds_credit_outstanding_bytes") > 0 && found;
    }, "bytes to be granted");
    expect(valueOf(families, "fds_active_transfers")).toBe(1);
    await system.api.cancel(id);
    proxy.shape({ bytesPerSecond: Infinity });
    await waitFor(
      async () => valueOf(await scrape(), "fds_active_transfers") === 0,
      "the transfer to end",
    );
  });
});

describe("the address", () => {
  test.each([
    ["without the token", "GET", "", {}, 401],
    ["with another token", "GET", "", { Authorization: "Bearer x" }, 401],
    ["by POST", "POST", "", TOKEN, 405],
    ["with a query", "GET", "?name=x", TOKEN, 400],
  ])("refuses a call %s", async (_, method, query, headers: Record<string, string>, status) => {
    const response = await fetch(`${system.url}/metrics${query}`, { method, headers });
    expect(response.status).toBe(status);
    expect(await response.json()).toHaveProperty("code");
  });
});
