import {
  afterAll,
  afterEach,
  beforeAll,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ServerMessage } from "../../lib/protocol/messages.ts";
import { recordLength, type SetRecord, writeRecord } from "../../lib/protocol/set-records.ts";
import { footprintOf, HAS_PROC } from "../support/footprint.ts";
import { damaged, frame, md5, REGISTER, ScriptedClient } from "../support/scripted-client.ts";
import { md5OfFile, writeRandom } from "../support/sources.ts";
import { API_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Row 65: clients that lie about sets and listings. After each lie the server lives, an honest
 * download that was under way is whole, and nothing of a set lies outside `.server/`.
 */

const MiB = 1024 * 1024;
const CHUNK = REGISTER.chunk_size;

let system: System;
let ids = 0;

beforeAll(async () => {
  system = await System.start({ ENROLL_TOKEN: "" });
  await writeRandom(system.source("honest.bin"), MiB);
  await system.startClient({ id: "honest" });
});
afterAll(() => system[Symbol.asyncDispose]());

afterEach(async () => {
  const record = await system.ended(await system.pull("honest.bin", "honest"));
  expect(record).toMatchObject({
    status: "completed",
    attempts: 1,
    md5: await md5OfFile(system.source("honest.bin")),
  });
  const names = await readdir(join(system.folder, "downloads"));
  expect(names.filter((name) => name.startsWith("liar"))).toEqual([]);
  await system.expectNoParts();
});

type Request = Extract<ServerMessage, { type: "set_request" }>;
type Wanted = Extract<ServerMessage, { type: "set_want" }>["files"];

/** A client that was asked for a set, and says about it what a test makes it say. */
class Liar implements AsyncDisposable {
  #offset = 0;

  private constructor(
    readonly client: ScriptedClient,
    readonly downloadId: string,
    private request: Request,
    private readonly server: System,
  ) {}

  static async asked(order: object = {}, server = system): Promise<Liar> {
    const client_id = `liar-${++ids}`;
    const fields = { client_id, features: ["list", "set"] };
    const client = await ScriptedClient.register(server.url, fields as never);
    const asked = { client_id, paths: ["a/**"], ...order };
    const { download_id } = await server.api.startDownload(asked);
    const request = await client.next("set_request");
    await client.next("set_list");
    return new Liar(client, download_id, request, server);
  }

  /** Where the next frame begins. */
  get offset(): number {
    return this.#offset;
  }

  /** Sends bytes in frames, as they are. */
  frames(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += CHUNK) {
      const part = bytes.subarray(at, at + CHUNK);
      this.client.sendRaw(frame(this.request, this.#offset, part));
      this.#offset += part.length;
    }
  }

  /** Sends a frame that reaches beyond what was granted. */
  beyond(): void {
    this.client.sendRaw(frame(this.request, 2 ** 40, BYTE));
  }

  /** Lists files. @param lines what differs from a good line, or a text as it is */
  list(...lines: (object | string)[]): void {
    const good = { root: 0, size: 1, mtime_ns: "1" };
    const text = lines.map((line) =>
      typeof line === "string" ? line : `${JSON.stringify({ ...good, ...line })}\n`,
    );
    this.frames(new TextEncoder().encode(text.join("")));
    this.listed();
  }

  listed(total_size = this.#offset, fields: object = {}): void {
    this.say({ type: "set_listed", total_size, ...fields });
  }

  say(message: object): void {
    const { stream, epoch } = this.request;
    this.client.send({ ...message, stream, epoch });
  }

  /** Lists good files; gives those that the server then wants. */
  async wanted(...lines: object[]): Promise<Wanted> {
    this.list(...lines);
    return (await this.client.next("set_want")).files;
  }

  /** Sends records in one frame, each with what differs from a good one. */
  records(...records: SetRecord[]): void {
    this.frames(packed(records));
  }

  /** Sends a byte in the middle of which a bit is flipped. */
  flipped(...records: SetRecord[]): void {
    const bytes = frame(this.request, this.#offset, packed(records));
    this.client.sendRaw(damaged(bytes, bytes.length - 1));
  }

  /** @returns why the set failed, once it has; a try that comes to the queue again counts */
  async failure(): Promise<string> {
    const record = await waitFor(async () => {
      const found = await this.server.api.download(this.downloadId);
      return found.error_code !== null ? found : undefined;
    }, "the set to fail");
    if (record.status === "queued") await this.server.api.cancel(this.downloadId);
    return `${record.error_code}: ${record.error}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.api.cancel(this.downloadId).catch(() => undefined);
    await this.client[Symbol.asyncDispose]();
  }
}

function packed(records: SetRecord[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(records.reduce((sum, record) => sum + recordLength(record), 0));
  let at = 0;
  for (const record of records) at = writeRecord(bytes, at, record);
  return bytes;
}

const BYTE = new Uint8Array([120]);
const start = (fields: object = {}): SetRecord =>
  ({ type: "start", index: 0, size: 1, mtimeNs: 1n, offset: 0, ...fields }) as SetRecord;
const data = (bytes = BYTE): SetRecord => ({ type: "data", bytes });
const end = (fields: object = {}): SetRecord =>
  ({ type: "end", changed: false, digest: md5(BYTE), ...fields }) as SetRecord;
const skip = (fields: object = {}): SetRecord =>
  ({ type: "skip", index: 0, code: "file_unreadable", message: "no", ...fields }) as SetRecord;

describe("row 65: a manifest", () => {
  const many = (count: number) => Array.from({ length: count }, (_, n) => ({ path: `a/${n}` }));

  test.each<[string, (liar: Liar) => void, RegExp, object?]>([
    ["of what was not asked for", (l) => l.list({ path: "b/x" }), /^protocol_error: .*not asked/],
    ["of what is excluded", (l) => l.list({ path: "a/x" }), /not asked/, { exclude: ["a/x"] }],
    ["of a hidden file", (l) => l.list({ path: "a/.env" }), /not asked/],
    ["with a way out", (l) => l.list({ path: "a/../../x" }), /^protocol_error: .*a manifest has/],
    ["with a whole path", (l) => l.list({ path: "/etc/passwd" }), /a manifest has/],
    ["with a path of dots", (l) => l.list({ path: "a/./x" }), /a manifest has/],
    ["with an empty name", (l) => l.list({ path: "a//x" }), /a manifest has/],
    ["with a NUL", (l) => l.list({ path: "a/x\0" }), /a manifest has/],
    ["with a path twice", (l) => l.list({ path: "a/x" }, { path: "a/x" }), /twice/],
    ["with a size below 0", (l) => l.list({ path: "a/x", size: -1 }), /cannot be read/],
    ["with a size of no number", (l) => l.list({ path: "a/x", size: 2 ** 60 }), /cannot be read/],
    ["with a time of no number", (l) => l.list({ path: "a/x", mtime_ns: "1e9" }), /cannot be read/],
    ["with a code of its own", (l) => l.list({ path: "a/x", skipped: "id_in_use" }), /cannot be/],
    ["that is no JSON", (l) => l.list("{\n"), /^protocol_error: .*cannot be read/],
    ["that is deeper than all stacks", (l) => l.list(`${"[".repeat(30_000)}\n`), /cannot be read/],
    ["without its last line's end", (l) => l.list('{"path":'), /not complete/],
    ["that is no UTF-8", (l) => (l.frames(new Uint8Array([0xff, 10])), l.listed()), /no UTF-8/],
    ["that ends in a letter", (l) => (l.frames(new Uint8Array([0xc3])), l.listed()), /UTF-8|compl/],
    ["shorter than it says", (l) => l.listed(7), /says 7 bytes, 0 came/],
    ["that lacks a pattern of its own", (l) => l.listed(0, { unmatched: [1] }), /no such pattern/],
    ["of more files than asked for", (l) => l.list(...many(11)), /^too_many/, { max_files: 10 }],
    [
      "of more bytes than asked for",
      (l) => l.list({ path: "a/x", size: 11 }),
      /^set_too_large/,
      { max_bytes: 10 },
    ],
    [
      "of more bytes than there are",
      (l) => l.list({ path: "a/x", size: 8e15 }, { path: "a/y", size: 8e15 }),
      /^(set_too_large|storage_full)/,
    ],
  ])("%s fails its set", async (_, lie, why, order = {}) => {
    await using liar = await Liar.asked(order);
    lie(liar);
    expect(await liar.failure()).toMatch(why);
  });

  test.skipIf(!HAS_PROC)(
    "of a line that never ends is cut off, and kept in no memory",
    async () => {
      const before = (await footprintOf(system.server)).memory;
      await using liar = await Liar.asked();
      liar.frames(new TextEncoder().encode(`{"path":"${"x".repeat(CHUNK)}`));
      expect(await liar.failure()).toMatch(/^protocol_error: .*no end/);
      expect((await footprintOf(system.server)).memory - before).toBeLessThan(64 * MiB);
    },
  );
});

describe("row 65: files of a set", () => {
  test.each<[string, (liar: Liar) => void, RegExp]>([
    ["that are not owed", (l) => l.records(start({ index: 1 })), /file 1 of a set came, 0 is owed/],
    ["that are on no list", (l) => l.records(skip({ index: 4e9 })), /is owed/],
    ["more than once", (l) => l.records(start(), data(), end(), start()), /is owed|no|1 is owed/],
    ["of bytes without a file", (l) => l.records(data()), /bytes came before/],
    ["that end before they begin", (l) => l.records(end()), /ended before it began/],
    ["that are longer than they say", (l) => l.records(start(), data(), data()), /more bytes/],
    [
      "that are shorter than they say",
      (l) => l.records(start({ size: 2 }), data(), end()),
      /ended/,
    ],
    ["that begin in their middle", (l) => l.records(start({ size: 9, offset: 5 })), /begins at 5/],
    ["that begin behind their end", (l) => l.records(start({ offset: 9 })), /begins at 9/],
    ["that go on elsewhere", (l) => l.records(start(), start({ offset: 1 })), /goes on at 1/],
    ["in records of nothing", (l) => l.records(start(), data(new Uint8Array(0))), /no bytes/],
    ["in records of no kind", (l) => l.frames(new Uint8Array([9])), /unknown record 9/],
    ["in a part of a record", (l) => l.frames(new Uint8Array([1, 0])), /beyond its frame/],
    ["whose bytes are none", (l) => l.frames(new Uint8Array([2, 255, 255, 255, 255])), /beyond/],
    ["of all bytes there are", (l) => l.records(start({ size: 2 ** 53 - 1 })), /^set_too_large/],
    ["of more bytes than the disk has", (l) => l.records(start({ size: 8e15 })), /^storage_full/],
    ["beyond what was granted", (l) => l.beyond(), /bytes granted/],
  ])("%s: the set fails", async (_, lie, why) => {
    await using liar = await Liar.asked();
    await liar.wanted({ path: "a/x" }, { path: "a/y" });
    lie(liar);
    expect(await liar.failure()).toMatch(why);
  });

  test("with a digest that is wrong are wanted again, and skipped in the end", async () => {
    await using liar = await Liar.asked();
    await liar.wanted({ path: "a/x" });
    for (let n = 0; n < 3; n++) {
      if (n > 0) await liar.client.next("set_want");
      liar.records(start(), data(), end({ digest: "00".repeat(16) }));
    }
    expect(await liar.failure()).toMatch(/^checksum_mismatch/);
  });

  test("with other sizes than were listed count once, however often they come", async () => {
    await using liar = await Liar.asked({ max_bytes: 12 });
    await liar.wanted({ path: "a/x" });
    const bytes = new Uint8Array(8);
    for (let n = 0; n < 3; n++) {
      if (n > 0) await liar.client.next("set_want");
      liar.records(start({ size: 8 }), data(bytes), end({ changed: n < 2, digest: md5(bytes) }));
    }
    const record = await system.ended(liar.downloadId);
    expect(record).toMatchObject({ status: "completed", total_size: 8, bytes_received: 8 });
    await rm(join(system.folder, "downloads", record.client_id), { recursive: true });
  });

  test("that grow over what the set may have fail it", async () => {
    await using liar = await Liar.asked({ max_bytes: 12 });
    await liar.wanted({ path: "a/x" });
    liar.records(start({ size: 13 }));
    expect(await liar.failure()).toMatch(/^set_too_large/);
  });

  test("whose bits are flipped again and again fail it", async () => {
    await using liar = await Liar.asked();
    await liar.wanted({ path: "a/x" });
    for (let n = 0; n < 4; n++) {
      liar.flipped(start(), data());
      if (n < 3) await liar.client.next("resend");
    }
    expect(await liar.failure()).toMatch(/^protocol_error: .*damaged 4 times/);
  });

  test("that are skipped for a reason of the server's own are told as unreadable", async () => {
    await using liar = await Liar.asked();
    await liar.wanted({ path: "a/x" });
    liar.records(skip({ code: "storage_full", message: "m".repeat(60_000) }));
    expect(await liar.failure()).toMatch(/^file_unreadable: m{1024}$/);
  });
});

describe("row 65: a set that comes no further keeps nobody from the only slot", () => {
  test.each<[string, (liar: Liar, n: number) => void]>([
    ["while it says that it reads again", (l, n) => l.say({ type: "proving", offset: n * MiB })],
    [
      "while its file begins again and again",
      (l) => l.records(start({ size: CHUNK }), data(new Uint8Array(CHUNK / 2))),
    ],
  ])("%s", async (_, lie) => {
    await using crowded = await System.start({ ENROLL_TOKEN: "", MAX_ACTIVE_DOWNLOADS: "1" });
    await writeRandom(crowded.source("honest.bin"), MiB);
    await crowded.startClient({ id: "honest" });
    await using liar = await Liar.asked({}, crowded);
    await liar.wanted({ path: "a/x" });
    let lies = 0;
    const timer = setInterval(() => lie(liar, ++lies), 50);
    try {
      const record = await crowded.ended(await crowded.pull("honest.bin", "honest"));
      expect(record).toMatchObject({ status: "completed" });
      expect(await liar.failure()).toMatch(/^client_timeout: the client sent .* others wait/);
    } finally {
      clearInterval(timer);
    }
  });
});

describe("row 65: a listing", () => {
  const line = (name: string, fields: object = {}) =>
    `${JSON.stringify({ name, type: "file", size: 1, mtime_ms: 1, ...fields })}\n`;

  async function answered(query: string, bytes: Uint8Array<ArrayBuffer>) {
    const client_id = `liar-${++ids}`;
    const fields = { client_id, features: ["list"] };
    await using client = await ScriptedClient.register(system.url, fields as never);
    const url = `${system.url}/api/clients/${client_id}/files?${query}`;
    const asked = fetch(url, { headers: { Authorization: `Bearer ${API_TOKEN}` } });
    const request = await client.next("list_request");
    client.sendFrames(request as never, bytes);
    const { stream, epoch } = request;
    const said = { more: true, truncated: false, total_size: bytes.length };
    client.send({ type: "list_complete", stream, epoch, ...said });
    const answer = await asked;
    return { status: answer.status, code: ((await answer.json()) as { code?: string }).code };
  }

  test.each([
    ["of more names than were asked for", "path=x&limit=2", line("a") + line("b") + line("c")],
    ["of names that are paths", "path=x", line("a/b")],
    ["of the folder above", "path=x", line("..")],
    ["of names that were there before", "path=x&cursor=Yg", line("a")],
    ["of a name twice", "path=x", line("a") + line("a")],
    ["in no order", "path=x", line("b") + line("a")],
    ["of no sizes", "path=x", line("a", { size: -1 })],
    ["of no times", "path=x", line("a", { mtime_ms: 1e99 })],
    ["of half a line", "path=x", line("a").slice(0, -1)],
    ["of no UTF-8", "path=x", "\xff\n"],
  ])("%s is told as broken", async (_, query, text) => {
    expect(await answered(query, Buffer.from(text, "latin1"))).toMatchObject({
      status: 500,
      code: "protocol_error",
    });
  });
});
