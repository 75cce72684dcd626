import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { BINARY, TEXT, upgradeRequest, webSocketFrame } from "../support/raw-websocket.ts";
import { REGISTER } from "../support/scripted-client.ts";
import { writeRandom } from "../support/sources.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { tell } from "./effort.ts";
import { watch } from "../support/leaks.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Row 36 of the fault table: sockets that send a byte at a time, stop in the middle, send junk or never read.
 * They must be cut off and use few resources, while three sites deliver.
 */

const MiB = 1024 * 1024;
const SITES = ["site-1", "site-2", "site-3"];
/** The number of sockets of each kind. */
const SOCKETS = 40;
const UPGRADE = upgradeRequest();
/** A request that needs no token. */
const SIGN_IN = "POST /api/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\n";

let system: System;
const sockets: Socket[] = [];
const timers: Timer[] = [];

beforeAll(async () => {
  system = await System.start();
  await writeRandom(system.source("data.bin"), 16 * MiB);
  for (const id of SITES) await system.startClient({ id });
});
afterAll(async () => {
  for (const timer of timers) clearInterval(timer);
  for (const socket of sockets) socket.destroy();
  await system?.[Symbol.asyncDispose]();
});

function open(): Socket {
  const socket = connect(system.port, "127.0.0.1");
  // The server may reset the connection, which the test expects.
  socket.on("error", () => socket.destroy());
  sockets.push(socket);
  return socket;
}

const KINDS: Record<string, (socket: Socket) => void> = {
  "say nothing": () => undefined,
  "dribble the handshake"(socket) {
    let at = 0;
    const dribble = () => at < UPGRADE.length / 2 && socket.write(UPGRADE[at++]!);
    timers.push(setInterval(dribble, 1000));
  },
  "stop in the middle of the handshake": (socket) => socket.write(UPGRADE.slice(0, 80)),
  "stop in the middle of a body": (socket) => socket.write(`${SIGN_IN}{"token":`),
  "dribble a body"(socket) {
    socket.write(SIGN_IN);
    timers.push(setInterval(() => socket.write(" "), 1000));
  },
  "talk nonsense": (socket) => socket.write(Buffer.alloc(100_000, "\x16\x03\x01junk")),
  "upgrade and never register": (socket) => socket.write(UPGRADE),
  "upgrade and talk nonsense": (socket) =>
    socket.write(Buffer.concat([Buffer.from(UPGRADE), Buffer.alloc(5000, 0xff)])),
  "begin a frame of many gigabytes"(socket) {
    socket.write(
      Buffer.concat([Buffer.from(UPGRADE), webSocketFrame(BINARY, Buffer.alloc(100), 2 ** 40)]),
    );
  },
  "register by half"(socket) {
    const text = Buffer.from(JSON.stringify(REGISTER));
    const half = webSocketFrame(TEXT, text.subarray(0, 50), text.length);
    socket.write(Buffer.concat([Buffer.from(UPGRADE), half]));
  },
  "ask a thousand times and never read"(socket) {
    socket.pause();
    socket.write("GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1000));
  },
};

/** Reports whether the server has closed a socket. A paused socket only notices a reset by a write. */
function isGone(socket: Socket): boolean {
  if (socket.isPaused()) socket.write("\r\n");
  return socket.destroyed || socket.readableEnded;
}

test(`row 36: ${SOCKETS} sockets of each kind: ${Object.keys(KINDS).join(", ")}`, async () => {
  const footprint = await watch(system.server);
  for (let n = 0; n < SOCKETS; n++) {
    for (const begin of Object.values(KINDS)) begin(open());
  }
  for (const socket of sockets) if (!socket.isPaused()) socket.resume();
  const pulls = SITES.map((id) => system.pull("data.bin", id));
  for (const pull of pulls) {
    expect(await system.ended(await pull)).toMatchObject({ status: "completed", attempts: 1 });
  }
  // The runtime cuts off requests after 12 s, and the server cuts off clients that do not register within 10
  // s.
  await waitFor(() => sockets.every(isGone), "every one of them to be cut off", 50_000);
  tell(await footprint.expectNoLeak());
  expect(await system.api.health()).toMatchObject({ connected_clients: SITES.length });
  const lines = system.server.log();
  expect(lines.filter(({ level }) => level === "error" || level === "none")).toEqual([]);
  await system.expectTidy();
});
