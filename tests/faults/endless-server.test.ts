import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { footprintOf, HAS_PROC } from "../support/footprint.ts";
import { frameHead, HandmadeServer, sendForEver, textFrame } from "../support/handmade-server.ts";
import { Program } from "../support/programs.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * The real client with a server that sends endless data. The client must close the connection, use no more
 * memory than before, and connect again.
 */

const MiB = 1024 * 1024;

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-endless-"));
  await mkdir(join(folder, "root"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const REGISTERED = textFrame({ type: "registered", client_id: "site-1", version: "9.9.9" });
const CREDIT = textFrame({ type: "credit", stream: 1, epoch: 1, max_offset: 1 });

function start(server: HandmadeServer, ready: RegExp): Promise<Program> {
  return Program.start({
    name: "client",
    folder,
    argv: ["client.ts", "--id", "site-1", "--server", server.url, "--root", "root"],
    env: { LOG_LEVEL: "debug" },
    ready,
  });
}

/** Starts a client. Its server attacks on the first connection, and behaves correctly on later ones. */
async function clientOf(attack: (socket: Socket) => void) {
  let connections = 0;
  const server = await HandmadeServer.listenForWebSockets((socket) => {
    if (++connections > 1) return void socket.write(REGISTERED);
    attack(socket);
  });
  const client = await start(server, /connecting to/);
  return {
    client,
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

const many = (frame: Buffer) => Buffer.concat(Array.from({ length: 2000 }, () => frame));

describe("a server that sends", () => {
  test.each<[string, RegExp, (socket: Socket) => unknown]>([
    [
      "fragments of a text without end",
      /protocol broken: Max payload size exceeded; next try/,
      (socket) => {
        socket.write(frameHead("text", 0, false));
        const fragment = [frameHead("continuation", MiB, false), Buffer.alloc(MiB, "a")];
        return sendForEver(socket, Buffer.concat(fragment));
      },
    ],
    [
      "a message of a TiB",
      /protocol broken: Max payload size exceeded; next try/,
      (socket) => {
        socket.write(frameHead("text", 2 ** 40));
        return sendForEver(socket, Buffer.alloc(MiB, "a"));
      },
    ],
    [
      "a frame of a TiB",
      /protocol broken: Max payload size exceeded; next try/,
      (socket) => {
        socket.write(frameHead("binary", 2 ** 40));
        return sendForEver(socket, Buffer.alloc(MiB));
      },
    ],
    [
      "registered again and again",
      /protocol broken: registered came twice; next try/,
      (socket) => sendForEver(socket, many(REGISTERED)),
    ],
    [
      "messages that change nothing",
      /protocol broken: the server sends more messages than a file takes; next try/,
      (socket) => {
        socket.write(REGISTERED);
        return sendForEver(socket, many(CREDIT));
      },
    ],
    [
      "requests before it let the client in",
      /protocol broken: registered must be the first message; next try/,
      (socket) => sendForEver(socket, many(CREDIT)),
    ],
  ])("%s loses the client, which holds no more memory", async (_, words, attack) => {
    let attacked: Socket | undefined;
    await using started = await clientOf((socket) => {
      attacked = socket;
      void attack(socket);
    });
    const { client } = started;
    const before = HAS_PROC ? (await footprintOf(client)).memory : 0;
    await client.waitForLine(words);
    await waitFor(() => attacked?.destroyed, "the connection to be closed");
    if (HAS_PROC) expect((await footprintOf(client)).memory).toBeLessThan(before + 48 * MiB);
    const said = client.log().map(({ message }) => message);
    const until = said.slice(
      0,
      said.findIndex((message) => words.test(message)),
    );
    expect(until.filter((message) => message.startsWith("registered as")).length).toBeLessThan(2);
  });

  test("headers without end loses the client, which holds no more memory", async () => {
    await using server = await HandmadeServer.listen((socket) => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\n");
      void sendForEver(socket, Buffer.from(`X-More: ${"a".repeat(1000)}\r\n`.repeat(100)));
    });
    await using client = await start(server, /connecting to/);
    const before = HAS_PROC ? (await footprintOf(client)).memory : 0;
    await client.waitForLine(/not connected: .*; next try/);
    if (HAS_PROC) expect((await footprintOf(client)).memory).toBeLessThan(before + 48 * MiB);
  });

  test("pings without end, and reads no answer, holds no more memory", async () => {
    const PING = Buffer.concat([Buffer.from([0x89, 125]), Buffer.alloc(125)]);
    let sent = 0;
    await using started = await clientOf((socket) => {
      socket.pause();
      socket.write(REGISTERED);
      const pings = many(PING);
      void sendForEver(socket, pings, () => (sent += pings.length));
    });
    const { client } = started;
    await client.waitForLine(/registered as/);
    const before = HAS_PROC ? (await footprintOf(client)).memory : 0;
    await waitFor(() => sent > 128 * MiB, "128 MiB of pings");
    if (HAS_PROC) expect((await footprintOf(client)).memory).toBeLessThan(before + 64 * MiB);
    client.signal("SIGTERM");
    expect(await client.ended()).toBe(0);
  });
});
