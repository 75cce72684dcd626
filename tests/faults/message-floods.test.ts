import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { frame, REGISTER, type Request } from "../support/scripted-client.ts";
import {
  BINARY,
  PING,
  PONG,
  RawWebSocket,
  TEXT,
  upgradeRequest,
  webSocketFrame,
} from "../support/raw-websocket.ts";
import { type Version, writeRandom } from "../support/sources.ts";
import { ENROLL_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Row 36 of the fault table: peers that keep the server busy with useless messages, registrations or junk
 * that is logged. Each is limited, and an honest client must be able to deliver meanwhile.
 */

const MiB = 1024 * 1024;
const TOO_MUCH = 4429;

let system: System;
let wanted: Version;

beforeAll(async () => {
  system = await System.start();
  wanted = await writeRandom(system.source("data.bin"), MiB);
  await system.startClient({ id: "honest" });
});
afterAll(() => system[Symbol.asyncDispose]());

async function expectPull(): Promise<void> {
  const record = await system.ended(await system.pull("data.bin", "honest"));
  await system.expectDelivered(record, wanted);
  expect(record.attempts).toBe(1);
}

const register = (client_id: string) => ({ ...REGISTER, client_id, enroll_token: ENROLL_TOKEN });

/** Makes the WebSocket frame that a flood repeats, for the request that the client has received. */
const FLOODS: Record<string, (request: Request) => Buffer> = {
  pings: () => webSocketFrame(PING, ""),
  "pongs that nobody asked for": () => webSocketFrame(PONG, "x"),
  "words about a long reading": ({ stream, epoch }) =>
    webSocketFrame(TEXT, JSON.stringify({ type: "proving", stream, epoch, offset: 1 })),
  "errors of an attempt that is over": ({ stream, epoch }) => {
    const error = { type: "error", stream, epoch, code: "file_not_found", message: "no" };
    return webSocketFrame(TEXT, JSON.stringify(error));
  },
  "frames for nobody": (request) =>
    webSocketFrame(BINARY, frame({ ...request, epoch: 0 }, 0, Buffer.from("x"))),
  "frames for nobody that say that they are packed": (request) => {
    const packed = frame({ ...request, epoch: 0 }, 0, Buffer.alloc(60_000), Buffer.alloc(50));
    return webSocketFrame(BINARY, packed);
  },
};

describe("row 36: a registered client is cut off that sends a flood of", () => {
  test.each(Object.entries(FLOODS))("%s", async (name, make) => {
    const clientId = `flood-of-${Object.keys(FLOODS).indexOf(name)}`;
    using client = await RawWebSocket.register(system.port, register(clientId));
    await system.pull("data.bin", clientId);
    const request = (await client.next("download_request")) as unknown as Request;
    const one = make(request);
    const many = Buffer.concat(Array.from({ length: 1_000 }, () => one));
    // At most 200,000 of the shortest frames. The server cuts the connection off after some thousand of them.
    const flooding = client.flood(many, 200_000 * one.length);
    await expectPull();
    await flooding;
    await waitFor(() => client.isGone, "the flood to be cut off");
    expect([undefined, TOO_MUCH]).toContain(client.closeCode);
    const { message } = await system.server.waitForLine(/too much that brings no file on/);
    expect(message).toStartWith("protocol broken: ");
  });

  test("frames of a byte each", async () => {
    using client = await RawWebSocket.register(system.port, register("crumbs"));
    await system.pull("data.bin", "crumbs");
    const request = (await client.next("download_request")) as unknown as Request;
    const identity = { size: MiB, mtime_ns: "1", ctime_ns: "2", inode: "3", device: "4" };
    const { stream, epoch } = request;
    const start = { type: "file_start", stream, epoch, identity, total_size: MiB, offset: 0 };
    const crumbs = Array.from({ length: 50_000 }, (_, offset) =>
      webSocketFrame(BINARY, frame(request, offset, Buffer.from("x"))),
    );
    const all = Buffer.concat([webSocketFrame(TEXT, JSON.stringify(start)), ...crumbs]);
    await client.flood(all, all.length);
    await waitFor(() => client.isGone, "the flood to be cut off");
    await expectPull();
  });
});

test("row 36: an enrolled client registers so often and no more, and others as before", async () => {
  const registered: RawWebSocket[] = [];
  const open = () => RawWebSocket.open(system.port, upgradeRequest());
  const hello = webSocketFrame(TEXT, JSON.stringify(register("restless")));
  for (let n = 0; n < 200; n++) {
    const client = await open();
    client.socket.write(hello);
    registered.push(client);
  }
  await waitFor(
    () => registered.filter(({ isGone }) => isGone).length >= 199,
    "all but the latest to be replaced or refused",
  );
  const refused = registered.filter(({ closeCode }) => closeCode === TOO_MUCH);
  expect(refused.length).toBeGreaterThan(100);
  using other = await RawWebSocket.register(system.port, register("other"));
  expect(other.isGone).toBe(false);
  await expectPull();
  for (const client of registered) client[Symbol.dispose]();
});

test("row 36: junk of 1,000 strangers is some lines of the log", async () => {
  const before = system.server.log().length;
  const junk = webSocketFrame(TEXT, "junk");
  for (let n = 0; n < 10; n++) {
    const strangers = await Promise.all(
      Array.from({ length: 100 }, () => RawWebSocket.open(system.port, upgradeRequest())),
    );
    for (const { socket } of strangers) socket.write(junk);
    await waitFor(() => strangers.every(({ isGone }) => isGone), "them to be cut off");
    for (const stranger of strangers) expect(stranger.closeCode).toBe(1002);
  }
  await expectPull();
  expect(system.server.log().length - before).toBeLessThan(150);
});
