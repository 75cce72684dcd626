import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DownloadRequest } from "../../lib/protocol/messages.ts";
import { Program } from "../support/programs.ts";
import { md5 } from "../support/scripted-client.ts";
import { type ScriptedConnection, ScriptedServer } from "../support/scripted-server.ts";
import { writeRandom } from "../support/sources.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Row 62 of the fault table: the real client with a server that asks for more bytes than the site's owner
 * lets leave in a day. The client must stay within the limit and keep running.
 */

const KiB = 1024;
const LIMIT = 1000 * KiB;
const SIZE = 600 * KiB;

let folder: string;
let server: ScriptedServer;
let client: Program;
let connection: ScriptedConnection;
let bytes: Uint8Array;
let streams: number;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-greedy-"));
  await mkdir(join(folder, "root"));
  await writeRandom(join(folder, "root/data.bin"), SIZE);
  bytes = await Bun.file(join(folder, "root/data.bin")).bytes();
  streams = 0;
  server = new ScriptedServer();
  const argv = ["client.ts", "--id", "site-1", "--server", server.url, "--root", "root"];
  const starting = Program.start({
    name: "client",
    folder,
    argv: [...argv, "--state-dir", "state", "--max-bytes-per-day", String(LIMIT)],
    env: { COMPRESSION: "off" },
    ready: /registered as site-1/,
  });
  await letIn();
  client = await starting;
});
afterEach(async () => {
  await client?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function letIn(): Promise<void> {
  connection = await server.accept();
  await connection.admit();
}

/** Asks for the file. @returns the client's first message: `file_start` or `error` */
async function ask(fields: Partial<DownloadRequest> = {}) {
  const stream = ++streams;
  connection.request(stream, "data.bin", fields);
  const isAbout = (message: { stream: number }) => message.stream === stream;
  return waitFor(
    () => connection.all("file_start").find(isAbout) ?? connection.all("error").find(isAbout),
    "an answer",
  );
}

/** Returns the number of bytes that the client has recorded as sent today. */
const recorded = async (): Promise<number> =>
  JSON.parse(await readFile(join(folder, "state/sent-today.json"), "utf8")).bytes;

describe("row 62: no more leaves in a day than the owner lets", () => {
  test("to a server that asks for every byte again and again", async () => {
    const { stream } = await ask({ max_offset: SIZE });
    const refused = () => connection.all("error")[0];
    for (let time = 0; time < 20 && !refused(); time++) {
      const before = connection.bytesReceived;
      connection.send({ type: "resend", stream, epoch: 1, offset: 0 });
      await waitFor(
        () => refused() ?? connection.bytesReceived > before,
        "more bytes or a refusal",
      );
    }
    expect(await waitFor(refused, "a refusal")).toMatchObject({ code: "access_denied", stream });
    expect(connection.bytesReceived).toBeLessThanOrEqual(LIMIT);
    expect(await ask({ max_offset: SIZE })).toMatchObject({ type: "error", code: "access_denied" });
    expect(await recorded()).toBeLessThanOrEqual(LIMIT);
  });

  test("to a server whose proofs make no sense, and a kill meanwhile lets no more out", async () => {
    const { identity } = (await ask({ max_offset: 0 })) as Extract<
      Awaited<ReturnType<typeof ask>>,
      { type: "file_start" }
    >;
    connection.send({ type: "cancel", stream: streams, epoch: 1 });
    let left = 0;
    for (const total_size of [0, 1, SIZE - 1]) {
      const resume = { prefix_md5: md5(bytes), identity, total_size };
      const answer = await ask({ offset: SIZE, resume, max_offset: 2 * SIZE });
      if (answer.type === "file_start") {
        expect(answer).toMatchObject({ offset: 0, total_size: SIZE });
        connection.send({ type: "credit", stream: streams, epoch: 1, max_offset: SIZE });
        await waitFor(() => connection.bytesReceived === SIZE, "the whole file");
      } else {
        expect(answer.code).toBe("access_denied");
      }
      left += connection.bytesReceived;
      expect(await recorded()).toBeGreaterThanOrEqual(connection.bytesReceived);
      client.signal("SIGKILL");
      const back = client.restart();
      await letIn();
      await back;
    }
    expect(left).toBe(SIZE);
    expect(await ask({ max_offset: SIZE })).toMatchObject({ type: "error", code: "access_denied" });
  });
});
