import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { nextRound } from "../../lib/util/fair-turns.ts";
import { footprintOf, HAS_PROC } from "../support/footprint.ts";
import { parseMetrics, valueOf } from "../support/prometheus.ts";
import { API_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Row 20 of the fault table: readers of server-sent events that read nothing. Their number is limited, they
 * use little memory, and the server cuts them off.
 */

const MiB = 1024 * 1024;

/** Maximum number of event streams that one token may have open. */
const MOST = 200;

let system: System;
const sockets: Bun.Socket[] = [];

beforeEach(async () => {
  system = await System.start({ REQUEST_RATE: "100000" });
  (await system.startClient({ id: "away" })).signal("SIGKILL");
  await waitFor(async () => (await system.api.health()).connected_clients === 0, "it to be away");
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate();
  await system[Symbol.asyncDispose]();
});

const requestOf = (token: string) =>
  `GET /api/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`;

/** Requests the event stream and reads only the start of the response. @returns its status line */
async function openReader(token = API_TOKEN): Promise<string> {
  const first = Promise.withResolvers<string>();
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port: system.port,
    socket: {
      data(self, bytes) {
        self.pause();
        first.resolve(bytes.toString("latin1").split("\r\n")[0] ?? "");
      },
      close: () => first.resolve("closed"),
    },
  });
  sockets.push(socket);
  socket.write(requestOf(token));
  return first.promise;
}

/** Requests the event stream and closes the connection at once. */
async function comeAndGo(): Promise<void> {
  const address = { hostname: "127.0.0.1", port: system.port };
  const socket = await Bun.connect({ ...address, socket: { data() {} } });
  socket.write(requestOf(API_TOKEN));
  await nextRound();
  socket.terminate();
}

async function readerCount(): Promise<number> {
  const response = await fetch(`${system.url}/metrics`, {
    headers: { Authorization: `Bearer ${API_TOKEN}` },
  });
  return valueOf(parseMetrics(await response.text()), "fds_event_readers");
}

test("row 20: a token has 200 readers, another one has its own, and who leaves makes room", async () => {
  const { token } = await system.api.createToken({ name: "other", role: "viewer" });
  const answers = await Promise.all(Array.from({ length: MOST }, () => openReader()));
  expect(new Set(answers)).toEqual(new Set(["HTTP/1.1 200 OK"]));
  expect(await openReader()).toStartWith("HTTP/1.1 429 ");
  const refused = await fetch(`${system.url}/api/events`, {
    headers: { Authorization: `Bearer ${API_TOKEN}` },
  });
  expect(await refused.json()).toEqual({
    code: "rate_limited",
    error: "Close some of them first, 200 streams of events are open with this token",
  });
  expect(await openReader(token)).toBe("HTTP/1.1 200 OK");
  for (const socket of sockets.splice(0)) socket.terminate();
  await waitFor(async () => (await readerCount()) === 0, "the server to see that they are gone");
  // A reader that leaves before it got an answer must not count as open either.
  await Promise.all(Array.from({ length: MOST + 50 }, comeAndGo));
  await waitFor(async () => (await openReader()) === "HTTP/1.1 200 OK", "room for another one");
});

test.skipIf(!HAS_PROC)(
  "row 20: 200 readers that take nothing hold little memory, and are cut off",
  async () => {
    const before = await footprintOf(system.server);
    await Promise.all(Array.from({ length: MOST }, () => openReader()));
    let most = 0;
    // Each reader gets events until the server cuts it off. How many that takes varies a lot, because the
    // system's socket buffers take the first ones.
    await waitFor(async () => {
      const long = Array.from({ length: 100 }, (_, n) => system.pull(`${n}`.repeat(2_000), "away"));
      await Promise.all(long);
      most = Math.max(most, (await footprintOf(system.server)).memory - before.memory);
      return (await readerCount()) === 0;
    }, "all of them to be cut off");
    // With a separate buffer for each reader, memory would grow by about 600 MiB.
    expect(most).toBeLessThan(300 * MiB);
  },
);
