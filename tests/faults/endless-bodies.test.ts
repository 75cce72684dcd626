import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { connect } from "node:net";
import { API_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Row 36 of the fault table: endless request bodies. Whatever the URL and the answer, the server closes the
 * connection after a few MiB.
 */

const MiB = 1024 * 1024;
/** Most bytes that a sender tries to send. The kernels on both sides may buffer some MiB of them. */
const MOST = 64 * MiB;
const TOKEN = `Authorization: Bearer ${API_TOKEN}`;

let system: System;

beforeAll(async () => {
  system = await System.start();
});
afterAll(() => system[Symbol.asyncDispose]());

const UPGRADE = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];

/**
 * Calls with an endless body: the request line, further header lines, and the statuses that the server may
 * answer with.
 */
const CALLS: [call: string, lines: string[], statuses: number[]][] = [
  ["GET /", [], [400]],
  ["HEAD /", [], [400]],
  ["POST /", [], [404, 413]],
  ["GET /ws", [], [400]],
  ["GET /ws", UPGRADE, [400]],
  ["POST /ws", [], [400, 413]],
  ["GET /health", [], [400]],
  ["GET /openapi.json", [], [400]],
  ["GET /nowhere", [], [400]],
  ["POST /nowhere", [], [404, 413]],
  ["PUT /nowhere", [TOKEN], [404, 413]],
  ["GET /api/events", [TOKEN], [400]],
  ["GET /api/clients", [], [400]],
  ["POST /api/clients", [TOKEN], [405, 413]],
  ["POST /api/clients", [], [401, 413]],
  ["OPTIONS /api/clients", [TOKEN], [405, 413]],
  ["POST /api/download", [], [401, 413]],
  ["POST /api/download", [TOKEN], [413]],
  ["POST /api/session", [], [413]],
  ["DELETE /api/session", [], [200, 413]],
  ["DELETE /api/tokens/none", [TOKEN], [404, 413]],
  ["POST /api/downloads/none/cancel", [TOKEN], [404, 413]],
  ["POST /health", ["Host: two"], [400, 413]],
];

interface Ending {
  /**
   * The response's status. Null if the response was lost, because a client that goes on sending gets a reset
   * (RFC 9112, 9.6).
   */
  status: number | null;
  /** Bytes that the sender has written to its socket. */
  sent: number;
}

/** Sends a request with an endless body until the server closes the connection. */
async function sendEndlessly(call: string, lines: string[], chunked: boolean): Promise<Ending> {
  const block = Buffer.alloc(256 * 1024, "x");
  const piece = chunked
    ? Buffer.concat([Buffer.from(`${block.length.toString(16)}\r\n`), block, Buffer.from("\r\n")])
    : block;
  const body = chunked ? "Transfer-Encoding: chunked" : `Content-Length: ${100 * MiB}`;
  const head = [`${call} HTTP/1.1`, "Host: localhost", ...lines, body, "", ""].join("\r\n");
  const socket = connect(system.port, "127.0.0.1").setEncoding("latin1");
  let answer = "";
  socket.on("data", (text) => (answer += text));
  // The server may reset the connection, which the test expects.
  socket.on("error", () => socket.destroy());
  socket.on("end", () => socket.destroy());
  const push = () => {
    while (!socket.destroyed && socket.bytesWritten < MOST && socket.write(piece));
  };
  socket.on("drain", push);
  socket.write(head);
  push();
  try {
    await waitFor(() => socket.destroyed || socket.bytesWritten >= MOST, "the end of it");
    return {
      status: answer === "" ? null : Number(answer.split(" ")[1]),
      sent: socket.bytesWritten,
    };
  } finally {
    socket.destroy();
  }
}

test.each([
  ["that says its length", false],
  ["in chunks", true],
])("row 36: an endless body %s", async (_, chunked) => {
  const endings = await Promise.all(
    CALLS.map(([call, lines]) => sendEndlessly(call, lines, chunked)),
  );
  for (const [index, [call, lines, statuses]] of CALLS.entries()) {
    const { status, sent } = endings[index]!;
    const told = [call, ...lines].join(", ");
    expect(sent, told).toBeLessThan(MOST);
    expect([null, ...statuses], told).toContain(status);
  }
  expect(await system.api.health()).toMatchObject({ status: "healthy" });
});
