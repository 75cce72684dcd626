import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as z from "zod";
import { codeOfClose } from "../../lib/protocol/errors.ts";
import {
  MAX_MESSAGE_BYTES,
  parseServerMessage,
  ServerMessage,
} from "../../lib/protocol/messages.ts";
import { codeOf } from "../support/errors.ts";
import { EFFORT, tell } from "./effort.ts";
import { SEED } from "./seeds.ts";
import { watch, type Watched } from "../support/leaks.ts";
import { Mutator } from "../support/mutator.ts";
import { Program } from "../support/programs.ts";
import { Random } from "../support/random.ts";
import { type JsonSchema, SchemaValues } from "../support/schema-values.ts";
import { md5 } from "../support/scripted-client.ts";
import { type ScriptedConnection, ScriptedServer } from "../support/scripted-server.ts";
import { writeRandom } from "../support/sources.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Servers that send random mutations of valid messages in every state of a file. The real client must close
 * each connection with a reason, connect again, and go on serving valid requests only.
 */

const CLIENTS = Math.min(8, Math.ceil(2 * EFFORT));
/** Number of connections of each client. */
const CONNECTIONS = Math.ceil((16 * EFFORT * 2) / CLIENTS);
const TIMEOUT = TEST_LIMIT * Math.max(1, EFFORT);
const SIZE = 100_000;
const SECRET = "what must never leave this machine";

let folder: string;
let bytes: Uint8Array;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-liars-"));
  await mkdir(join(folder, "root"));
  await Bun.write(join(folder, "secret.txt"), SECRET);
  await writeRandom(join(folder, "root/data.bin"), SIZE);
  bytes = await Bun.file(join(folder, "root/data.bin")).bytes();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A real client and its scripted server. */
class Site implements AsyncDisposable {
  private constructor(
    readonly server: ScriptedServer,
    readonly client: Program,
  ) {}

  /** Starts a client. Its server has not accepted the registration yet. */
  static async start(name: string): Promise<Site> {
    const server = new ScriptedServer();
    const argv = ["client.ts", "--id", name, "--server", server.url, "--root", "root"];
    const client = await Program.start({
      name,
      folder,
      argv: [...argv, "--state-dir", `${name}-state`],
      env: { LOG_LEVEL: "debug" },
      ready: /connecting to/,
    });
    return new Site(server, client);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
  }
}

/** Expects the client to send a correctly requested file completely. */
async function pullHonestly(connection: ScriptedConnection, stream: number): Promise<void> {
  connection.request(stream, "data.bin");
  const of = { stream, epoch: 1 };
  const complete = await waitFor(
    () => connection.all("file_complete").find((each) => each.stream === stream),
    "the file to be complete",
  );
  expect(complete).toMatchObject({ total_size: SIZE, md5: md5(bytes) });
  const payloads = connection.all("frame").filter((frame) => frame.stream === stream);
  expect(md5(Buffer.concat(payloads.map(({ payload }) => payload)))).toBe(md5(bytes));
  connection.send({ type: "done", ...of });
}

const STREAM = 2;

/**
 * Functions by the name of a state. Each brings a registered client's file into this state by correct
 * messages.
 */
const STATES: Record<string, (connection: ScriptedConnection) => unknown> = {
  "registered, idle": () => undefined,
  "request sent": (connection) => connection.request(STREAM, "data.bin"),
  async "file started"(connection) {
    connection.request(STREAM, "data.bin", { max_offset: 0 });
    await waitFor(() => connection.all("file_start")[1], "the file to be open");
  },
  async streaming(connection) {
    connection.request(STREAM, "data.bin", { max_offset: SIZE / 2 });
    await waitFor(() => connection.bytesReceived === SIZE + SIZE / 2, "half of the file");
  },
  "after done": (connection) => pullHonestly(connection, STREAM),
  async "after cancel"(connection) {
    connection.request(STREAM, "data.bin", { max_offset: SIZE / 2 });
    await waitFor(() => connection.all("file_start")[1], "the file to be open");
    connection.send({ type: "cancel", stream: STREAM, epoch: 1 });
  },
};

class Lies {
  readonly #random: Random;
  readonly #mutator: Mutator;
  readonly #values: SchemaValues;
  readonly #schema = z.toJSONSchema(ServerMessage, { io: "input" }) as JsonSchema;

  constructor(seed: number) {
    this.#random = new Random(seed);
    this.#mutator = new Mutator(this.#random);
    this.#values = new SchemaValues(this.#random);
  }

  /** Returns random messages, some of them mutated, in a random order. All are valid except the last. */
  volley(length: number): string[] {
    const random = this.#random;
    const right = Array.from({ length: random.int(0, length) }, () => this.#message());
    const said = this.#mutator.order(right).map((message) => {
      const text = this.#mutator.json(message);
      // An invalid message ends the connection, so the messages before the last are valid, and all of them
      // are handled.
      return isLawful(text) ? text : JSON.stringify(message);
    });
    for (;;) {
      const last = this.#mutator.json(this.#message());
      if (!isLawful(last)) return [...said, last];
    }
  }

  #message(): Record<string, unknown> {
    const random = this.#random;
    const message = this.#values.of(this.#schema) as Record<string, unknown>;
    if ("stream" in message && random.float() < 0.7) {
      message["stream"] = random.pick([1, STREAM, random.int(3, 60)]);
      message["epoch"] = 1;
    }
    if ("file_path" in message) message["file_path"] = random.pick(PATHS);
    return message;
  }
}

const PATHS = [
  "data.bin",
  "../secret.txt",
  "/etc/passwd",
  ".",
  "data.bin/x",
  "nothing",
  "/dev/zero",
];

function isLawful(text: string): boolean {
  return codeOf(() => parseServerMessage(text)) === undefined;
}

/**
 * Sends these messages, and expects the client to close with the code for a protocol error.
 * @returns the number of messages
 */
async function lie(connection: ScriptedConnection, volley: string[]): Promise<number> {
  for (const item of volley) connection.sendRaw(item);
  const { code } = await connection.closed;
  expect(["protocol_error", "message_too_large"]).toContain(codeOfClose(code)!);
  const sent = connection.all("frame").map(({ payload }) => Buffer.from(payload));
  expect(sent.some((payload) => payload.includes(SECRET))).toBe(false);
  return volley.length;
}

/** Expects no stack traces and no unformatted lines in the client's log. */
function expectCalm({ client }: Site): void {
  expect(client.log().filter((line) => "stack" in line || line["level"] === "none")).toEqual([]);
}

test(
  `${CLIENTS} clients meet ${CONNECTIONS} lying servers each, at every state (FDS_SEED=${SEED})`,
  async () => {
    const names = Object.keys(STATES);
    let said = 0;
    const all = Array.from({ length: CLIENTS }, async (_, n) => {
      await using site = await Site.start(`site-${n}`);
      let footprint: Watched | undefined;
      for (let turn = 0; turn < CONNECTIONS; turn++) {
        const connection = await site.server.accept();
        await connection.admit();
        // A completed transfer also resets the client's backoff, so that it connects again soon.
        await pullHonestly(connection, 1);
        footprint ??= await watch(site.client);
        await STATES[names[turn % names.length]!]!(connection);
        const lies = new Lies(SEED + n * CONNECTIONS + turn);
        const count = await lie(connection, lies.volley(EFFORT > 1 ? 500 : 50));
        said += count;
      }
      const connection = await site.server.accept();
      await connection.admit();
      await pullHonestly(connection, 1);
      expectCalm(site);
      tell(await footprint!.expectNoLeak());
      site.client.signal("SIGTERM");
      expect(await site.client.ended()).toBe(0);
    });
    await Promise.all(all);
    tell(`${said} messages on ${CLIENTS * CONNECTIONS} connections`);
  },
  TIMEOUT,
);

test(
  `a server that lies before it lets the client in is not asked again soon (FDS_SEED=${SEED})`,
  async () => {
    const lies = Array.from({ length: Math.ceil(3 * EFFORT) }, (_, turn) =>
      new Lies(SEED - turn - 1).volley(0),
    );
    // A message above the size limit is added, because random mutations seldom produce one.
    lies.push(["x".repeat(MAX_MESSAGE_BYTES + 1)]);
    for (const [turn, volley] of lies.entries()) {
      await using site = await Site.start(`early-${turn}`);
      const connection = await site.server.accept();
      await lie(connection, volley);
      const { message } = await site.client.waitForLine(/the server refused: protocol broken/);
      expect(Number(/next try in ([\d.]+) s/.exec(message)?.[1])).toBeGreaterThan(29);
      expect(site.server.dialled).toBe(1);
      expectCalm(site);
    }
  },
  TIMEOUT,
);
