import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { type ServerMessage, SUBPROTOCOL } from "../../lib/protocol/messages.ts";
import {
  completeMessage,
  frame,
  md5,
  REGISTER,
  type Request,
  startMessage,
} from "../support/scripted-client.ts";
import { Random } from "../support/random.ts";
import { md5OfFile } from "../support/sources.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { spawn, spawnSync } from "../support/spawn.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Clients based on other WebSocket libraries. The server must accept everything that RFC 6455 allows, even if
 * the real client never sends it.
 */

const BYTES = new Random(5).bytes(200_000);

let system: System;

beforeAll(async () => {
  system = await System.start({ ENROLL_TOKEN: "" });
});
afterAll(() => system?.[Symbol.asyncDispose]());

/** The part of the API of npm's `ws` that is used here. */
interface ForeignSocket {
  readonly protocol: string;
  readonly extensions: string;
  on(event: "open", listener: () => void): void;
  on(event: "message", listener: (data: Buffer) => void): void;
  on(event: "close", listener: (code: number, reason: Buffer) => void): void;
  on(event: "error", listener: (error: Error) => void): void;
  send(data: string | Uint8Array, options?: { fin?: boolean; binary?: boolean }): void;
  ping(data?: string): void;
  close(code?: number, reason?: string): void;
  terminate(): void;
}

// The library is imported by its path, because Bun replaces the package "ws" by its own implementation.
const { default: Foreign }: { default: new (...args: unknown[]) => ForeignSocket } = await import(
  join(import.meta.dir, "../../node_modules/ws/wrapper.mjs")
);

/** A client on the WebSocket library `ws` from npm. */
class ForeignClient {
  readonly #received: ServerMessage[] = [];
  readonly closed = Promise.withResolvers<number>();

  private constructor(readonly socket: ForeignSocket) {
    socket.on("message", (data) => this.#received.push(JSON.parse(String(data))));
    socket.on("close", (code) => this.closed.resolve(code));
  }

  static async register(client_id: string): Promise<ForeignClient> {
    const address = `${system.url.replace("http", "ws")}/ws`;
    const socket = new Foreign(address, SUBPROTOCOL, { perMessageDeflate: true });
    await new Promise<void>((resolve, reject) => {
      socket.on("open", resolve);
      socket.on("error", reject);
    });
    const client = new ForeignClient(socket);
    socket.send(JSON.stringify({ ...REGISTER, client_id }));
    await client.next("registered");
    return client;
  }

  /** Returns the next message of a type. Messages received before it are discarded. */
  async next<T extends ServerMessage["type"]>(type: T) {
    const found = await waitFor(
      () => this.#received.find((message) => message.type === type),
      `the message "${type}"`,
    );
    this.#received.splice(0, this.#received.indexOf(found) + 1);
    return found as Extract<ServerMessage, { type: T }>;
  }
}

/** Sends a message in fragments of `step` bytes, with pings in between and an empty fragment at the end. */
function sendFragments(socket: ForeignSocket, message: string | Uint8Array, step: number): void {
  const binary = typeof message !== "string";
  const bytes = typeof message === "string" ? Buffer.from(message) : message;
  for (let at = 0; at < bytes.length; at += step) {
    socket.send(bytes.subarray(at, at + step), { fin: false, binary });
    if (at % (3 * step) === 0) socket.ping("between");
  }
  socket.send("", { fin: true, binary });
}

/** Sends the file from the requested offset to its end, as an honest client would. */
function deliver(request: Request, send: (message: string | Uint8Array) => void): void {
  send(JSON.stringify(startMessage(request, BYTES, { offset: request.offset })));
  for (let offset = request.offset; offset < BYTES.length; offset += request.chunk_size) {
    send(frame(request, offset, BYTES.subarray(offset, offset + request.chunk_size)));
  }
  send(JSON.stringify(completeMessage(request, BYTES)));
}

async function expectDelivered(downloadId: string, digest: string): Promise<void> {
  const record = await system.ended(downloadId);
  expect(record).toMatchObject({ status: "completed", md5: digest, attempts: 1 });
  expect(await md5OfFile(join(system.folder, "downloads", record.saved_path!))).toBe(digest);
}

describe("npm's ws", () => {
  test.each<[string, (socket: ForeignSocket, message: string | Uint8Array) => void]>([
    ["whole", (socket, message) => socket.send(message)],
    ["in fragments", (socket, message) => sendFragments(socket, message, 1000)],
    ["in tiny fragments", (socket, message) => sendFragments(socket, message, 5)],
  ])("delivers a file with its messages %s", async (how, send) => {
    const id = `ws-${how.replaceAll(" ", "-")}`;
    const client = await ForeignClient.register(id);
    const { socket } = client;
    const downloadId = await system.pull("data.bin", id);
    const request = await client.next("download_request");
    deliver(request, (message) => send(socket, message));
    await client.next("done");
    await expectDelivered(downloadId, md5(BYTES));
    // The client offered compression, and the server declined, because it would cost more than it saves.
    expect([socket.protocol, socket.extensions]).toEqual([SUBPROTOCOL, ""]);
    socket.close();
    await client.closed.promise;
  });

  test.each([1000, 1001, 1003, 1008, 1011, 3000, 4000, 4409, 4999, undefined])(
    "leaves in the middle with close code %p, comes back, and the download goes on",
    async (code) => {
      const id = `ws-leaves-${code}`;
      const client = await ForeignClient.register(id);
      const downloadId = await system.pull("data.bin", id);
      const request = await client.next("download_request");
      client.socket.send(JSON.stringify(startMessage(request, BYTES)));
      client.socket.send(frame(request, 0, BYTES.subarray(0, request.chunk_size)));
      await client.next("credit");
      client.socket.close(code, code === undefined ? undefined : "я".repeat(60));
      await client.closed.promise;
      const again = await ForeignClient.register(id);
      const second = await again.next("download_request");
      expect([second.download_id, second.epoch]).toEqual([downloadId, request.epoch + 1]);
      deliver(second, (message) => again.socket.send(message));
      await again.next("done");
      expect(await system.ended(downloadId)).toMatchObject({
        status: "completed",
        md5: md5(BYTES),
        attempts: 2,
      });
      again.socket.terminate();
    },
  );

  test("sends a message of fragments that never ends: it is cut off", async () => {
    const { socket, closed } = await ForeignClient.register("ws-endless");
    const piece = Buffer.alloc(1024 * 1024);
    let over = false;
    void closed.promise.then(() => (over = true));
    await waitFor(() => {
      if (!over) socket.send(piece, { fin: false, binary: true });
      return over;
    }, "the server to have had enough");
    const { connected } = (await system.api.clients()).find(
      (each) => each.client_id === "ws-endless",
    )!;
    expect(connected).toBe(false);
  });
});

/** Debian's Python comes first, because another one in the PATH may lack Debian's Python packages. */
const python = ["/usr/bin/python3", "python3"].find(
  (each) =>
    Bun.which(each) !== null &&
    spawnSync([each, "-c", "import websockets"], { stderr: "ignore" }).exitCode === 0,
);

describe.skipIf(python === undefined)(
  "python3-websockets (needs it: apt-get install python3-websockets)",
  () => {
    test.each([
      ["plain", 5_000_000],
      ["odd", 300_000],
      ["odd", 0],
    ])("delivers a file by %s framing, of %d bytes", async (how, size) => {
      const id = `python-${how}-${size}`;
      const url = `${system.url.replace("http", "ws")}/ws`;
      const script = join(import.meta.dir, "foreign_client.py");
      const program = spawn([python!, script, url, id, how, String(size)], { stdout: "pipe" });
      try {
        const { value } = await program.stdout.getReader().read();
        const downloadId = await system.pull("data.bin", id);
        await expectDelivered(downloadId, new TextDecoder().decode(value).trim());
      } finally {
        program.kill();
        await program.exited;
      }
    });
  },
);

test("none of it is a fault of the server's", () => {
  const lines = system.server.log();
  expect(lines.filter(({ level }) => level === "error" || level === "none")).toEqual([]);
});
