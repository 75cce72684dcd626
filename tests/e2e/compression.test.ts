import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { HEADER_BYTES } from "../../lib/protocol/frame.ts";
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
import { logLines } from "../support/sources.ts";
import { ENROLL_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

const KiB = 1024;
const MiB = 1024 * KiB;
const TEXT = logLines(new Random(1), 4 * MiB);

let system: System;

beforeAll(async () => {
  system = await System.start({ RECEIVE_BUDGET: "2MiB" });
});
afterAll(async () => {
  await system?.[Symbol.asyncDispose]();
});

describe("a chunk that came compressed", () => {
  const bytes = TEXT.slice(0, 3 * REGISTER.chunk_size);

  /** Returns the compressed frame for the chunk of the file with this index. */
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
    const failures = await system.metric("fds_crc_failures_total");
    const resent = await system.metric("fds_resent_bytes_total");
    client.sendRaw(packedFrame(request, 0));
    client.sendRaw(damaged(packedFrame(request, 1), HEADER_BYTES + 100));
    client.sendRaw(packedFrame(request, 2));
    client.complete(request, bytes);
    expect(await client.next("resend")).toMatchObject({ offset: REGISTER.chunk_size });
    sendFrom(client, request, 1);
    expect(await system.ended(id)).toMatchObject({ status: "completed", attempts: 1 });
    expect((await system.metric("fds_crc_failures_total")) - failures).toBe(1);
    expect((await system.metric("fds_resent_bytes_total")) - resent).toBe(2 * REGISTER.chunk_size);
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
