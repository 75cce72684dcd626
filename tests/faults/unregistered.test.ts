import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { footprintOf, HAS_PROC } from "../support/footprint.ts";
import { BINARY, upgradeRequest, webSocketFrame } from "../support/raw-websocket.ts";
import { REGISTER, ScriptedClient } from "../support/scripted-client.ts";
import { ENROLL_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Row 36 of the fault table: connections of strangers that never register. They must use little memory, be
 * limited in number, and not lock out other addresses. A trusted proxy's header simulates many addresses.
 */

const MiB = 1024 * 1024;

let system: System;
const sockets: Socket[] = [];

beforeEach(async () => {
  system = await System.start({ TRUSTED_PROXIES: "127.0.0.1" });
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await system[Symbol.asyncDispose]();
});

/** Makes an upgrade request. @param address the client's address, as the proxy states it */
const upgrade = (address: string) => upgradeRequest(`X-Forwarded-For: ${address}`);

/** The beginning of a message of 1 MiB, without its last 1,000 bytes. */
const UNFINISHED = webSocketFrame(BINARY, Buffer.alloc(MiB - 1000), MiB);

/** Opens a connection and sends a request. @returns the socket, and the status line of the response */
async function open(request: string | Buffer): Promise<{ socket: Socket; answer: string }> {
  const socket = connect(system.port, "127.0.0.1");
  sockets.push(socket);
  socket.on("error", () => socket.destroy());
  socket.write(request);
  const [data] = await Promise.race([once(socket, "data"), once(socket, "close")]);
  return { socket, answer: String(data).split("\r\n")[0]! };
}

/** Registers a client from an address, as the proxy states it. */
async function register(address: string, client_id: string): Promise<ScriptedClient> {
  const headers = { "X-Forwarded-For": address };
  const client = await ScriptedClient.connect(system.url, undefined, headers);
  client.send({ ...REGISTER, client_id, enroll_token: ENROLL_TOKEN });
  await client.next("registered");
  return client;
}

const SWITCHING = "HTTP/1.1 101 Switching Protocols";

test.skipIf(!HAS_PROC)(
  "row 36: 200 unfinished first messages of 1 MiB are not kept in memory",
  async () => {
    const before = await footprintOf(system.server);
    const opened = await Promise.all(Array.from({ length: 200 }, () => open(upgrade("10.0.0.1"))));
    expect(new Set(opened.map(({ answer }) => answer))).toEqual(new Set([SWITCHING]));
    let most = 0;
    for (const { socket } of opened) {
      socket.resume().on("end", () => socket.destroy());
      socket.write(UNFINISHED);
    }
    // An honest client from another address is registered before all these connections are handled.
    await using honest = await register("10.0.0.2", "honest");
    await waitFor(async () => {
      most = Math.max(most, (await footprintOf(system.server)).memory - before.memory);
      return sockets.filter(({ destroyed }) => destroyed).length >= 20;
    }, "some of them to be cut off");
    expect(honest.isOpen).toBe(true);
    // If the server buffered every message, memory would grow by 200 MiB. The runtime's garbage takes some
    // MiB.
    expect(most).toBeLessThan(100 * MiB);
  },
);

test("row 36: what comes right behind the request, before the answer, is not taken", async () => {
  const { answer } = await open(Buffer.concat([Buffer.from(upgrade("10.0.0.1")), UNFINISHED]));
  expect(answer).not.toBe(SWITCHING);
  await using honest = await register("10.0.0.1", "honest");
  expect(honest.isOpen).toBe(true);
});

test("row 36: an address has 1,024 that wait, all have 2,048, and another address is let in", async () => {
  const openMany = async (address: string) => {
    const opened = await Promise.all(Array.from({ length: 1_100 }, () => open(upgrade(address))));
    for (const { socket } of opened) socket.resume().on("end", () => socket.destroy());
    const answers = new Set(opened.map(({ answer }) => answer.split(" ")[1]));
    expect([...answers].toSorted().join()).toMatch(/^101(,429)?$/);
    return opened.map(({ socket }) => socket);
  };
  const isOpen = ({ destroyed }: Socket) => !destroyed;
  const first = await openMany("10.0.0.1");
  // There may be fewer open connections than the limit, because a slow machine has closed some already.
  await waitFor(() => first.filter(isOpen).length <= 1_024, "no more than may be to be there");
  await openMany("10.0.0.2");
  await openMany("10.0.0.3");
  await using honest = await register("10.0.0.4", "honest");
  await waitFor(
    () => sockets.filter(isOpen).length <= 2_048,
    "no more than all may be to be there",
  );
  expect(honest.isOpen).toBe(true);
  expect(await system.api.health()).toMatchObject({ connected_clients: 1 });
}, 60_000);
