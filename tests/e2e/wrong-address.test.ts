import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HandmadeServer } from "../support/handmade-server.ts";
import { Program } from "../support/programs.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* The messages of a client when another program answers at SERVER_URL. */

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-wrong-address-"));
  await mkdir(join(folder, "root"));
});
afterEach(() => rm(folder, { recursive: true }));

const answer = (first: string, ...fields: string[]) =>
  [`HTTP/1.1 ${first}`, "Content-Length: 0", ...fields, "", ""].join("\r\n");

test.each([
  [
    "a redirection",
    answer("301 Moved Permanently", "Location: https://files.example.com/ws"),
    'the server answered 301 Moved Permanently and leads to "https://files.example.com/ws", check SERVER_URL',
  ],
  [
    "a long redirection",
    answer("307 Temporary Redirect", `Location: https://evil.example/${"x".repeat(4000)}`),
    `the server answered 307 Temporary Redirect and leads to "https://evil.example/${"x".repeat(179)}", check SERVER_URL`,
  ],
  ["a page", answer("200 OK"), "the server answered 200 OK and opened no WebSocket"],
  [
    "a refusal",
    answer("403 Forbidden"),
    "the server answered 403 Forbidden and opened no WebSocket",
  ],
  ["no reason", answer("404 "), "the server answered 404 and opened no WebSocket"],
  [
    "a proxy",
    answer("502 Bad Gateway"),
    "the server answered 502 Bad Gateway and opened no WebSocket",
  ],
  ["no HTTP", "SSH-2.0-OpenSSH_9.2\r\n", "Parse Error: Expected HTTP/, RTSP/ or ICE/"],
])("%s is told as what it is", async (_, bytes, words) => {
  await using server = await HandmadeServer.listen((socket) => socket.end(bytes));
  await using client = await Program.start({
    name: "client",
    folder,
    argv: ["client.ts", "--id", "site-1", "--server", server.url, "--root", "root"],
    env: {},
    ready: /next try in/,
  });
  // The log may already hold a second line, because the first retry can follow at once.
  const log = client.log();
  expect(log).not.toBeEmpty();
  for (const { level, message } of log) {
    expect(level).toBe("warn");
    expect(message).toMatch(/^not connected: .*; next try in [\d.]+ s$/);
    expect(message).toContain(`: ${words}; next try`);
  }
});
