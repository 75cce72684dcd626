import { afterAll, beforeAll, expect } from "bun:test";
import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type ClientMessage,
  type FileComplete,
  type FileStart,
} from "../../lib/protocol/messages.ts";
import type { Program } from "./programs.ts";
import { md5 } from "./scripted-client.ts";
import type { ScriptedConnection, ScriptedServer } from "./scripted-server.ts";
import { ScriptedServerClient } from "./scripted-server-client.ts";
import { writeRandom } from "./sources.ts";
import { waitFor } from "./wait.ts";
import { spawnSync } from "./spawn.ts";

const KiB = 1024;
export const SIZE = 300 * KiB;
/** The content of a file outside the client's root. */
export const SECRET = "what must never leave this machine";

export let folder: string;
let party: ScriptedServerClient;
export let server: ScriptedServer;
export let client: Program;
export let connection: ScriptedConnection;
/** The content of `data.bin` in the client's root. */
export let bytes: Uint8Array;
let streams = 0;

/** Returns a stream number that was not used before. */
export const newStream = () => ++streams;

/** Waits until the client has connected again after the server closed its connection. */
export async function acceptAgain(): Promise<void> {
  connection = await server.accept();
}

/** Downloads a file as an honest server would, and expects it complete. Shows that the client still works. */
export async function expectHonestTransferWorks(): Promise<void> {
  const stream = newStream();
  connection.request(stream, "data.bin");
  const complete = await reply("file_complete", stream);
  expect(complete).toMatchObject({ total_size: SIZE, md5: md5(bytes) });
  const frames = connection.all("frame").filter((frame) => frame.stream === stream);
  expect(Buffer.compare(Buffer.concat(frames.map(({ payload }) => payload)), bytes)).toBe(0);
  connection.send({ type: "done", stream, epoch: 1 });
}

type Answer = FileStart | FileComplete | Extract<ClientMessage, { type: "error" }>;

/** Waits for the client's message of a certain type on a stream. */
export async function reply<T extends Answer["type"]>(type: T, stream: number) {
  return waitFor(
    () => connection.all(type).find((message) => "stream" in message && message.stream === stream),
    `the client to send "${type}"`,
  );
}

/** Expects no stack traces, no unformatted lines and no key in the client's log. */
export async function expectCleanLog(): Promise<void> {
  const text = await Bun.file(join(folder, "client.log")).text();
  expect(text).not.toContain(await Bun.file(join(folder, "state/key")).text());
  expect(client.log().filter((line) => "stack" in line || line["level"] === "none")).toEqual([]);
}

/** Starts a client with its lying server before the tests of a file. */
export function useLyingServer(): void {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "fds-hostile-"));
    await mkdir(join(folder, "root/sub"), { recursive: true });
    await Bun.write(join(folder, "secret.txt"), SECRET);
    await writeRandom(join(folder, "root/data.bin"), SIZE);
    await symlink(join(folder, "secret.txt"), join(folder, "root/link.txt"));
    await symlink("/dev/zero", join(folder, "root/device"));
    spawnSync(["mkfifo", join(folder, "root/fifo")]);
    bytes = await Bun.file(join(folder, "root/data.bin")).bytes();
    party = await ScriptedServerClient.start(folder);
    ({ server, client, connection } = party);
  });

  afterAll(async () => {
    await party?.[Symbol.asyncDispose]();
    await expectCleanLog().finally(() => rm(folder, { recursive: true, force: true }));
  });
}
