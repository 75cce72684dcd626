import { afterEach, beforeEach, describe, expect, jest, spyOn, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket } from "ws";
import { Connection } from "../../lib/client/connection.ts";
import { stayConnected } from "../../lib/client/reconnect.ts";
import { Roots } from "../../lib/client/owner-rules/roots.ts";
import { SUBPROTOCOL } from "../../lib/protocol/messages.ts";
import { Logger } from "../../lib/util/logger.ts";
import { TokenBucket } from "../../lib/util/token-bucket.ts";

/* Timeouts of a client's connection, with real sockets and a fake clock. */

let folder: string;
let roots: Roots;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-connection-"));
  roots = await Roots.open([folder]);
  jest.useFakeTimers();
});
afterEach(async () => {
  jest.useRealTimers();
  await rm(folder, { recursive: true, force: true });
});

const logged = (write: (line: string) => void) =>
  new Logger({ level: "info", format: "json", write });

const KEYS = { key: "the-key-of-the-client" };
const keeping = {
  enrolToken: null,
  isKeyNew: false,
  prepareKeys: async () => KEYS,
  takeNewKey: async () => {},
  tlsToUse: async () => ({}),
};

const options = (port: number) => ({
  id: "site-1",
  serverUrl: new URL(`ws://127.0.0.1:${port}/ws`),
  keys: KEYS,
  version: "1.0.0",
  timeZone: null,
  chunkSize: 64 * 1024,
  rateLimit: new TokenBucket(null),
  compress: true,
  roots,
  dailyLimit: null,
  onRequestEnded: async () => {},
  proxy: null,
  tls: {},
});

function connect(port: number, onRegistered = () => {}): Connection {
  const logger = logged(() => {});
  return new Connection({ ...options(port), enrolToken: undefined, onRegistered, logger });
}

/** Starts a server that accepts connections and sends nothing. */
function silentServer(onOpen: () => void) {
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { open: onOpen, data: () => {} },
  });
  return { port: listener.port, [Symbol.dispose]: () => listener.stop(true) };
}

/** Starts a server that registers every client. */
function welcomingServer() {
  const registered = { type: "registered", client_id: "site-1", version: "9.9.9" };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, self) => {
      const headers = { "Sec-WebSocket-Protocol": SUBPROTOCOL };
      return self.upgrade(request, { headers }) ? undefined : new Response();
    },
    websocket: {
      open: (socket) => void socket.sendText(JSON.stringify(registered)),
      message: () => {},
    },
  });
  return { port: server.port!, [Symbol.dispose]: () => void server.stop(true) };
}

describe("a server that is not there is noticed", () => {
  test("when it takes the connection and says nothing, after 20 s", async () => {
    const opened = Promise.withResolvers<void>();
    using server = silentServer(opened.resolve);
    const connection = connect(server.port);
    await opened.promise;
    let over = false;
    const ending = connection.ended.finally(() => (over = true));
    jest.advanceTimersByTime(20_000);
    await Promise.resolve();
    expect(over).toBe(false);
    jest.advanceTimersByTime(5_000);
    expect(await ending).toMatchObject({ reason: "no answer in 20 s", registered: false });
  });

  test("when nothing comes from it any more, after 45 s", async () => {
    using server = welcomingServer();
    const registered = Promise.withResolvers<void>();
    const connection = connect(server.port, registered.resolve);
    await registered.promise;
    // Advances the clock by 50 s in one step, so that no answer to a ping can arrive in between.
    jest.advanceTimersByTime(50_000);
    expect(await connection.ended).toMatchObject({
      reason: "nothing was heard for 45 s",
      registered: true,
      hasDelivered: false,
    });
  });
});

describe("a server that refuses to talk is dialled again", () => {
  let port: number;
  beforeEach(() => {
    using server = silentServer(() => {});
    ({ port } = server);
  });

  test("after waits that double, up to a minute", async () => {
    using _ = spyOn(Math, "random").mockReturnValue(0.99999);
    const stop = new AbortController();
    const waits: string[] = [];
    let told = Promise.withResolvers<void>();
    const logger = logged((line) => {
      waits.push(/next try in (\S+) s/.exec(line)?.[1] ?? line);
      told.resolve();
    });
    const stopped = stayConnected({ ...options(port), ...keeping, logger }, stop.signal);
    for (const wait of [1, 2, 4, 8, 16, 32, 60, 60]) {
      await told.promise;
      told = Promise.withResolvers();
      expect(Number(waits.at(-1))).toBe(wait);
      jest.advanceTimersByTime(wait * 1000);
    }
    stop.abort();
    await stopped;
  });

  test("but not by a client that is told to stop while it waits", async () => {
    const stop = new AbortController();
    const told = Promise.withResolvers<void>();
    const logger = logged(() => told.resolve());
    const stopped = stayConnected({ ...options(port), ...keeping, logger }, stop.signal);
    await told.promise;
    stop.abort();
    await stopped;
    expect(jest.getTimerCount()).toBe(0);
  });
});

describe("a client that cannot dial", () => {
  const cannotDial = { ...options(1), serverUrl: new URL("ws://127.0.0.1:1/ws#fragment") };

  test("says why, and tries again", async () => {
    const stop = new AbortController();
    const said: string[] = [];
    let told = Promise.withResolvers<void>();
    const logger = logged((line) => {
      said.push(line);
      told.resolve();
    });
    const stopped = stayConnected({ ...cannotDial, ...keeping, logger }, stop.signal);
    for (const times of [1, 2, 3]) {
      await told.promise;
      told = Promise.withResolvers();
      expect(said).toHaveLength(times);
      expect(said.at(-1)).toMatch(/not connected: The URL contains a fragment.*next try in/);
      jest.advanceTimersByTime(60_000);
    }
    stop.abort();
    await stopped;
  });

  test("and that knows no next try is given up", async () => {
    const prepareKeys = () => new Promise<never>(() => undefined);
    const logger = logged(() => undefined);
    const never = new AbortController().signal;
    const connected = stayConnected({ ...cannotDial, ...keeping, prepareKeys, logger }, never);
    jest.advanceTimersByTime(70_000);
    await expect(connected).rejects.toThrow(/neither a connection nor a next try/);
  });
});

test("a server that asks and does not read the answers is left", async () => {
  using server = welcomingServer();
  const unread = Object.getOwnPropertyDescriptor(WebSocket.prototype, "bufferedAmount")!;
  Object.defineProperty(WebSocket.prototype, "bufferedAmount", { get: () => 17 * 1024 * 1024 });
  try {
    expect(await connect(server.port).ended).toMatchObject({
      reason: "the server asks, and does not read the answers",
    });
  } finally {
    Object.defineProperty(WebSocket.prototype, "bufferedAmount", unread);
  }
});
