import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, utimes } from "node:fs/promises";
import { join } from "node:path";
import { meaningOf } from "../../lib/protocol/errors.ts";
import { SUBPROTOCOL } from "../../lib/protocol/messages.ts";
import { Program } from "../support/programs.ts";
import { Random } from "../support/random.ts";
import {
  completeMessage,
  frame,
  md5,
  REGISTER,
  ScriptedClient,
  startMessage,
} from "../support/scripted-client.ts";
import { ScriptedServer } from "../support/scripted-server.ts";
import { writeRandom } from "../support/sources.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { System } from "../support/system.ts";

setDefaultTimeout(TEST_LIMIT);

/* Row 41 of the fault table: clients and servers of different versions. */

const BYTES = new Random(9).bytes(100_000);
/** Unknown fields that a later version may add to any message. */
const FUTURE = { future: { deep: [1, null] }, "": 0, resumable: true };

let system: System;

beforeAll(async () => {
  system = await System.start({ ENROLL_TOKEN: "" });
  await writeRandom(system.source("data.bin"), 100_000);
});
afterAll(() => system?.[Symbol.asyncDispose]());

/** Starts a real client that connects to a scripted server. */
async function clientOf(server: ScriptedServer, id: string): Promise<Program> {
  await mkdir(join(system.folder, "root"), { recursive: true });
  const argv = ["client.ts", "--id", id, "--server", server.url, "--root", "root"];
  return Program.start({
    name: id,
    folder: system.folder,
    argv: [...argv, "--state-dir", `${id}-state`],
    env: { LOG_LEVEL: "debug" },
    ready: /connecting to/,
  });
}

/** Returns the seconds until the client's next try, as its log says. */
async function nextTry(client: Program, pattern: RegExp): Promise<number> {
  const { message } = await client.waitForLine(pattern);
  return Number(/next try in ([\d.]+) s/.exec(message)?.[1]);
}

describe("row 41: a newer client with an older server", () => {
  test("that says more than the server knows is understood", async () => {
    await using client = await ScriptedClient.register(system.url, { client_id: "new", ...FUTURE });
    const downloadId = await system.pull("data.bin", "new");
    const request = await client.next("download_request");
    client.send(startMessage(request, BYTES, FUTURE));
    client.sendFrames(request, BYTES);
    client.send(completeMessage(request, BYTES, FUTURE));
    await client.next("done");
    const record = await system.ended(downloadId);
    expect(record).toMatchObject({ status: "completed", md5: md5(BYTES), attempts: 1 });
  });

  test("that sends a message of a new type is refused in words", async () => {
    const client = await ScriptedClient.register(system.url, { client_id: "newer" });
    client.send({ type: "file_signature", ...FUTURE });
    const { code, reason } = await client.closed;
    expect([code, reason]).toEqual([1002, expect.stringMatching(/^protocol_error: type: /)]);
  });

  test("that sends a frame of a new version is refused in words, and keeps its download", async () => {
    const client = await ScriptedClient.register(system.url, { client_id: "newest" });
    const downloadId = await system.pull("data.bin", "newest");
    const request = await client.next("download_request");
    client.start(request, BYTES);
    const bytes = frame(request, 0, BYTES.subarray(0, 1000));
    bytes[0] = 2;
    new DataView(bytes.buffer).setUint32(30, Bun.hash.crc32(bytes.subarray(0, 30)));
    client.sendRaw(bytes);
    expect((await client.closed).reason).toMatch(/unknown frame version 2/);
    await using again = await ScriptedClient.register(system.url, { client_id: "newest" });
    const second = await again.next("download_request");
    expect(second.download_id).toBe(downloadId);
    again.deliver(second, BYTES);
    expect(await system.ended(downloadId)).toMatchObject({ status: "completed", attempts: 2 });
  });

  test("that speaks another protocol alone is told which one is spoken here", async () => {
    const client = await ScriptedClient.connect(system.url, ["fds.v99", "fds.v100"]);
    client.send({ ...REGISTER, client_id: "from-tomorrow" });
    expect(await client.closed).toEqual({
      code: meaningOf("unsupported_version").close!,
      reason: `unsupported_version: this server speaks ${SUBPROTOCOL}`,
    });
    const known = (await system.api.clients()).map(({ client_id }) => client_id);
    expect(known).not.toContain("from-tomorrow");
    await system.server.waitForLine(/connection refused: this server speaks/);
  });

  test("that speaks ours too is taken at that", async () => {
    await using client = await ScriptedClient.connect(system.url, ["fds.v99", SUBPROTOCOL]);
    expect(client.protocol).toBe(SUBPROTOCOL);
    client.send({ ...REGISTER, client_id: "bilingual" });
    await client.next("registered");
  });
});

describe("row 41: a newer client with a server that knows a file by its first identity alone", () => {
  test("says that identity where times changed and the bytes did not", async () => {
    await using server = new ScriptedServer();
    await using _ = await clientOf(server, "touched");
    const path = join(system.folder, "root/data.bin");
    const connection = await server.accept();
    await connection.admit();
    connection.request(1, "data.bin");
    const { identity } = await connection.first("file_start");
    connection.send({ type: "cancel", stream: 1, epoch: 1 });
    await utimes(path, 1, 1);

    const prefix_md5 = md5((await Bun.file(path).bytes()).subarray(0, 5));
    const resume = { prefix_md5, identity, total_size: 100_000 };
    connection.request(2, "data.bin", { offset: 5, resume, max_offset: 50_000 });
    const start = await waitFor(() => connection.all("file_start")[1], "the file to be opened");
    expect(start).toMatchObject({ offset: 5, identity });
    await utimes(path, 2, 2);
    connection.send({ type: "credit", stream: 2, epoch: 1, max_offset: 100_000 });
    const isComplete = () => connection.all("file_complete").find(({ stream }) => stream === 2);
    expect(await waitFor(isComplete, "the end of it")).toMatchObject({ identity });
  });
});

describe("row 41: an older client with a newer server", () => {
  test("that says more than the client knows is understood", async () => {
    await using server = new ScriptedServer();
    await using client = await clientOf(server, "old");
    const connection = await server.accept();
    const { client_id } = await connection.first("register");
    connection.send({ type: "registered", client_id, version: "9.9.9", ...FUTURE });
    await client.waitForLine(/registered as old/);
    const fields: object = FUTURE;
    connection.request(1, "data.bin", fields);
    const { total_size } = await connection.first("file_complete");
    expect(total_size).toBe(100_000);
    connection.send({ type: "done", stream: 1, epoch: 1, ...FUTURE });
    await client.waitForLine(/file delivered/);
  });

  test("that asks for something new loses the client, which says why", async () => {
    await using server = new ScriptedServer();
    await using client = await clientOf(server, "older");
    const connection = await server.accept();
    await connection.admit();
    connection.send({ type: "list_folder", path: "/" });
    expect((await connection.closed).code).toBe(1002);
    await client.waitForLine(/protocol broken: type: .*; next try in/);
  });

  test("that does not speak the client's protocol any more is not asked again soon", async () => {
    await using server = new ScriptedServer();
    await using client = await clientOf(server, "oldest");
    const connection = await server.accept();
    await connection.first("register");
    connection.close(meaningOf("unsupported_version").close!, "unsupported_version: fds.v9 alone");
    const wait = await nextTry(client, /the server refused: unsupported_version: fds\.v9 alone/);
    expect(wait).toBeGreaterThan(29);
    expect(server.dialled).toBe(1);
  });

  test("that answers with a protocol that was not offered is told of in words", async () => {
    await using server = new ScriptedServer("fds.v99");
    await using client = await clientOf(server, "lost");
    expect(await nextTry(client, /not connected: .*protocol/)).toBeLessThan(60);
  });
});
