import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import * as z from "zod";
import { ApiCallError } from "../../lib/cli/rest/api-errors.ts";
import { codeOfClose } from "../../lib/protocol/errors.ts";
import { decodeFrame } from "../../lib/protocol/frame.ts";
import { ClientMessage, parseClientMessage } from "../../lib/protocol/messages.ts";
import { codeOf } from "../support/errors.ts";
import { EFFORT, tell } from "./effort.ts";
import { SEED } from "./seeds.ts";
import { watch } from "../support/leaks.ts";
import { Mutator } from "../support/mutator.ts";
import { Random } from "../support/random.ts";
import { type JsonSchema, SchemaValues } from "../support/schema-values.ts";
import {
  completeMessage,
  frame,
  type Request,
  ScriptedClient,
  startMessage,
} from "../support/scripted-client.ts";
import { md5OfFile, writeRandom } from "../support/sources.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Clients that send random mutations of valid messages in every state of a download: changed, truncated,
 * repeated, reordered. Each must be disconnected with a reason, without effect on an honest client.
 */

const CONNECTIONS = 160 * EFFORT;
const AT_ONCE = 8;
const TIMEOUT = TEST_LIMIT * Math.max(1, EFFORT);
const CHUNK = 4096;
const BYTES = new Random(11).bytes(3 * CHUNK + 5);

type Item = string | Uint8Array<ArrayBuffer>;

let system: System;

beforeAll(async () => {
  system = await System.start({ ENROLL_TOKEN: "" });
  await writeRandom(system.source("honest.bin"), 512 * 1024);
  await system.startClient({ id: "honest" });
});
afterAll(() => system?.[Symbol.asyncDispose]());

/** A client that will send mutated messages, with its download request, if the state has one. */
interface Liar {
  client: ScriptedClient;
  request?: Request;
}

async function registered(id: string): Promise<Liar> {
  const fields = { client_id: id, chunk_size: CHUNK };
  return { client: await ScriptedClient.register(system.url, fields) };
}

async function requested(id: string): Promise<Required<Liar>> {
  const { client } = await registered(id);
  await system.pull("data.bin", id);
  return { client, request: await client.next("download_request") };
}

async function started(id: string): Promise<Required<Liar>> {
  const { client, request } = await requested(id);
  client.start(request, BYTES);
  await client.next("credit");
  return { client, request };
}

/** Functions by the name of a state. Each connects a lying client and brings it into this state. */
const STATES: Record<string, (id: string) => Promise<Liar>> = {
  "before register": async () => ({ client: await ScriptedClient.connect(system.url) }),
  "registered, idle": registered,
  "request sent": requested,
  "file started": started,
  async streaming(id) {
    const { client, request } = await started(id);
    client.sendRaw(frame(request, 0, BYTES.subarray(0, CHUNK)));
    return { client, request };
  },
  async "file complete sent"(id) {
    const { client, request } = await requested(id);
    client.deliver(request, BYTES);
    return { client, request };
  },
  async "after done"(id) {
    const { client, request } = await requested(id);
    client.deliver(request, BYTES);
    await client.next("done");
    return { client, request };
  },
  async "after cancel"(id) {
    const { client, request } = await started(id);
    await system.api.cancel(request.download_id);
    await client.next("cancel");
    return { client, request };
  },
};

class Lies {
  readonly #random: Random;
  readonly #mutator: Mutator;
  readonly #values: SchemaValues;
  readonly #schema = z.toJSONSchema(ClientMessage, { io: "input" }) as JsonSchema;

  constructor(seed: number) {
    this.#random = new Random(seed);
    this.#mutator = new Mutator(this.#random);
    this.#values = new SchemaValues(this.#random);
  }

  /**
   * Returns the messages that send a file, mixed with random ones. Some of them are mutated, and the order
   * is random.
   */
  volley(request: Request | undefined): Item[] {
    const random = this.#random;
    const address = request ?? { stream: random.int(0, 2), epoch: random.int(0, 2) };
    const others = Array.from({ length: random.int(0, 60) }, () => this.#message(address));
    const delivery: Item[] = [
      JSON.stringify(startMessage(address, BYTES)),
      ...Array.from({ length: 4 }, (_, n) =>
        frame(address, n * CHUNK, BYTES.subarray(n * CHUNK, (n + 1) * CHUNK)),
      ),
      JSON.stringify(completeMessage(address, BYTES)),
    ];
    const items = random.float() < 0.3 ? others : [...delivery, ...others];
    const changed = random.float();
    // An invalid message ends the connection. In half of the volleys all are valid, so that more of them are
    // handled.
    const lawful = random.float() < 0.5;
    return this.#mutator.order(items).map((right) => {
      if (random.float() > changed) return right;
      const said = this.#mutated(right);
      return lawful && !isLawful(said) ? right : said;
    });
  }

  #message(address: { stream: number; epoch: number }): string {
    const message = this.#values.of(this.#schema) as Record<string, unknown>;
    if (!("stream" in message) || this.#random.float() < 0.2) return JSON.stringify(message);
    return JSON.stringify({ ...message, stream: address.stream, epoch: address.epoch });
  }

  #mutated(item: Item): Item {
    if (typeof item !== "string") return this.#mutator.frame(item);
    const text = this.#mutator.json(JSON.parse(item));
    return this.#random.float() < 0.01 ? new TextEncoder().encode(text) : text;
  }
}

/** Reports whether a message or a frame is well-formed, even if it is wrong in the current state. */
function isLawful(item: Item): boolean {
  return (
    codeOf(() =>
      typeof item === "string" ? parseClientMessage(item) : decodeFrame(item, CHUNK),
    ) === undefined
  );
}

/**
 * Sends random messages and then an invalid one, and waits until the server closes the connection.
 * @returns the number of random messages and frames
 */
async function lie(id: string, state: string, lies: Lies): Promise<number> {
  const { client, request } = await STATES[state]!(id);
  const volley = lies.volley(request);
  for (const item of volley) client.sendRaw(item);
  // An invalid message at the end, which the server must refuse in any case.
  client.sendRaw("the end");
  const { code, reason } = await client.closed;
  const meaning = codeOfClose(code);
  // A random message may have been a `probe`, which the server answers by closing with code 1000.
  const isAnswered = code === 1000 && reason === "probed";
  if (!isAnswered)
    expect([code, meaning, reason]).toEqual([code, expect.any(String), expect.stringMatching(/./)]);
  expect(meaning).not.toBe("internal_error");
  if (request) await endDownload(request.download_id);
  return volley.length;
}

/** Cancels a download, so that the client's next request is for a new one. */
async function endDownload(downloadId: string): Promise<void> {
  await system.api.cancel(downloadId).catch((error: unknown) => {
    if (!(error instanceof ApiCallError && error.code === "download_already_ended")) throw error;
  });
}

/**
 * Downloads from the honest client again and again until a promise settles.
 * @returns the number of downloads
 */
async function pullHonestly(until: Promise<unknown>): Promise<number> {
  const md5 = await md5OfFile(system.source("honest.bin"));
  let over = false;
  void until.finally(() => (over = true));
  for (let pulls = 0; ; pulls++) {
    const record = await system.ended(await system.pull("honest.bin", "honest"));
    expect(record).toMatchObject({ status: "completed", md5, attempts: 1 });
    if (over) return pulls;
  }
}

test(
  `${CONNECTIONS} connections of clients that lie at every state (FDS_SEED=${SEED})`,
  async () => {
    const footprint = await watch(system.server);
    const names = Object.keys(STATES);
    let next = 0;
    let said = 0;
    const liars = Array.from({ length: AT_ONCE }, async (_, n) => {
      while (next < CONNECTIONS) {
        const turn = next++;
        const lies = new Lies(SEED + turn);
        const count = await lie(`liar-${n}`, names[turn % names.length]!, lies);
        said += count;
      }
    });
    const lying = Promise.all(liars);
    await pullHonestly(lying);
    await lying;
    expect(said).toBeGreaterThan(CONNECTIONS);
    for (const { download_id } of await system.records("queued")) await endDownload(download_id);
    await system.expectNoParts();
    await system.expectTidy();
    tell(await footprint.expectNoLeak());
    expect(
      system.server.log().filter(({ level }) => level === "error" || level === "none"),
    ).toEqual([]);
    tell(`${said} messages and frames on ${CONNECTIONS} connections`);
  },
  TIMEOUT,
);
