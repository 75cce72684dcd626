import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { WantedFile } from "../../lib/protocol/messages.ts";
import { readRecords, type SetRecord } from "../../lib/protocol/set-records.ts";
import type { Program } from "../support/programs.ts";
import { md5 } from "../support/scripted-client.ts";
import type { ScriptedConnection, ScriptedServer } from "../support/scripted-server.ts";
import { ScriptedServerClient } from "../support/scripted-server-client.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Row 66 of the fault table: the real client with a server that lies about sets and listings. The client must
 * keep running, serve other requests, and send only what its owner allows.
 */

const MiB = 1024 * 1024;
const SECRET = "what must never leave this machine";
const LARGE = Buffer.alloc(300 * 1024, "large");

let folder: string;
let party: ScriptedServerClient;
let server: ScriptedServer;
let client: Program;
let connection: ScriptedConnection;
let streams = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-hostile-"));
  await mkdir(join(folder, "root/logs"), { recursive: true });
  await mkdir(join(folder, "root/private"));
  await mkdir(join(folder, "root", "a".repeat(200)));
  for (let n = 0; n < 100; n++) {
    await Bun.write(join(folder, "root", "a".repeat(200), "a".repeat(150 + n)), "");
  }
  await Bun.write(join(folder, "secret.txt"), SECRET);
  await Bun.write(join(folder, "root/private/secret.txt"), SECRET);
  await Bun.write(join(folder, "root/.hidden"), SECRET);
  await Bun.write(join(folder, "root/logs/small"), "small");
  await Bun.write(join(folder, "root/logs/large"), LARGE);
  await symlink(join(folder, "secret.txt"), join(folder, "root/logs/link"));
  party = await ScriptedServerClient.start(folder, ["--state-dir", "state", "--deny", "private"]);
  ({ server, client, connection } = party);
});
afterAll(async () => {
  await party?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** A set that the client is asked for, by messages that the test chooses. */
class AskedSet {
  readonly stream = ++streams;

  constructor(max_offset = 64 * MiB) {
    this.say("set_request", {
      download_id: "0198c0de-0000-7000-8000-000000000000",
      checksum: "md5",
      chunk_size: 64 * 1024,
      max_offset,
    });
  }

  say(type: string, fields: object): void {
    connection.send({ type, stream: this.stream, epoch: 1, ...fields });
  }

  list(include: string[], fields: object = {}): void {
    this.say("set_select", { include, exclude: [] });
    this.say("set_list", { min_age_ms: 0, max_files: 100_000, ...fields });
  }

  want(...files: Partial<WantedFile>[]): void {
    this.say("set_want", { files: files.map((file, index) => ({ index, root: 0, ...file })) });
  }

  get bytes(): Buffer {
    const frames = connection.all("frame").filter(({ stream }) => stream === this.stream);
    return Buffer.concat(frames.map(({ payload }) => payload));
  }

  /** Waits until the client has sent or skipped this many wanted files. @returns all records received */
  async answers(count: number): Promise<SetRecord[]> {
    return waitFor(() => {
      const records = [...readRecords(this.bytes)];
      const ended = records.filter(({ type }) => type === "end" || type === "skip");
      return ended.length >= count && records;
    }, `${count} answers`);
  }

  /** Waits for the message that ended the listing: `set_listed` or `error`. */
  async listed(): Promise<{ type: string; code?: string }> {
    return waitFor(
      () =>
        [...connection.all("set_listed"), ...connection.all("error")].find(
          ({ stream }) => stream === this.stream,
        ),
      "the set to be listed",
    );
  }
}

/** Downloads a set with correct messages, to show that the client still works. */
async function expectHonestSetWorks(): Promise<void> {
  const set = new AskedSet();
  set.want({ path: "logs/small" }, { path: "logs/large" });
  const records = await set.answers(2);
  const digests = records.filter((record) => record.type === "end").map(({ digest }) => digest);
  expect(digests).toEqual([md5(Buffer.from("small")), md5(LARGE)]);
  set.say("done", {});
}

describe("row 66: a file that", () => {
  test.each([
    ["is denied", { path: "private/secret.txt" }, "access_denied"],
    ["is hidden", { path: ".hidden" }, "access_denied"],
    ["lies outside", { path: "../secret.txt" }, "access_denied"],
    ["lies outside, the long way", { path: "logs/../../secret.txt" }, "access_denied"],
    ["has a whole path", { path: "/etc/passwd" }, "access_denied"],
    ["holds a NUL", { path: "logs/small\0" }, "access_denied"],
    ["lies in no root", { path: "logs/small", root: 7 }, "access_denied"],
    ["lies in a root of no number", { path: "logs/small", root: 0xffff_ffff }, "access_denied"],
    ["is a folder", { path: "logs" }, "not_a_regular_file"],
    ["is a link", { path: "logs/link" }, "file_unreadable"],
    ["was never there", { path: "logs/nothing" }, "file_not_found"],
    ["is below a file", { path: "logs/small/x" }, "file_not_found"],
    ["has a name of 4,096 letters", { path: "x".repeat(4_096) }, "file_not_found"],
  ])("%s does not come, and says why", async (_, file, code) => {
    const set = new AskedSet();
    set.want(file);
    expect(await set.answers(1)).toMatchObject([{ type: "skip", code }]);
    expect(set.bytes.includes(SECRET)).toBe(false);
    set.say("done", {});
    await expectHonestSetWorks();
  });

  test.each([
    ["behind its end", { offset: LARGE.length + 1, prefix: md5(LARGE) }],
    ["at the end of all numbers", { offset: Number.MAX_SAFE_INTEGER, prefix: md5(LARGE) }],
    ["without a proof", { offset: 5 }],
    ["by the proof of another", { offset: 5, prefix: md5(LARGE.subarray(0, 6)) }],
  ])("is wanted from %s comes from its start", async (_, fields) => {
    const set = new AskedSet();
    set.want({ path: "logs/large", ...fields });
    const [start] = await set.answers(1);
    expect(start).toMatchObject({ type: "start", offset: 0 });
    set.say("done", {});
  });

  test("is wanted 4,096 times at once comes as often; once more is too much", async () => {
    const set = new AskedSet();
    const files = Array.from({ length: 1_024 }, () => ({ path: "logs/small" }));
    for (let n = 0; n < 4; n++) set.want(...files);
    await set.answers(4_096);
    set.say("done", {});
    const greedy = new AskedSet(0);
    for (let n = 0; n < 5; n++) greedy.want(...files);
    expect((await connection.closed).code).toBe(1002);
    connection = await server.accept();
    await connection.admit();
    await expectHonestSetWorks();
  });

  test("is wanted again from where no frame began ends that set alone", async () => {
    const set = new AskedSet();
    set.want({ path: "logs/small" });
    await set.answers(1);
    set.say("resend", { offset: 3 });
    expect(await set.listed()).toMatchObject({ type: "error", code: "file_unreadable" });
    await expectHonestSetWorks();
  });
});

describe("row 66: patterns that", () => {
  const stars = `${"*a".repeat(200)}*b`;
  const deep = `${"**/*/".repeat(180)}x`;
  test.each<[string, string[], string]>([
    ["stand for too many", Array(11).fill(`{${"a,".repeat(120)}}`), "access_denied"],
    ["double without end", ["{a,b}".repeat(200)], "access_denied"],
    ["are open", ["{".repeat(1_000)], "access_denied"],
    ["lead out", ["../**"], "access_denied"],
    ["are of another root", ["/etc/**"], "access_denied"],
    ["take long with each name", Array(100).fill(stars), ""],
    ["take long with each name, times ten", Array(100).fill(`{1,2,3,4,5,6,7,8,9,}${stars}`), ""],
    ["go deep", Array(100).fill(`{1,2,3,4,5,6,7,8,9,}${deep}`), ""],
    ["are many of any depth", Array(100).fill("**/".repeat(340) + "x"), ""],
  ])("%s hold up nobody", async (_, patterns, code) => {
    const set = new AskedSet();
    for (let at = 0; at < patterns.length; at += 20) {
      set.say("set_select", { include: patterns.slice(at, at + 20), exclude: [] });
    }
    set.list([]);
    await expectHonestSetWorks();
    expect((await set.listed()).code ?? "").toBe(code);
    set.say("done", {});
  });

  test("are listed again and again give the same, and hold up nobody", async () => {
    const set = new AskedSet();
    set.say("set_select", { include: ["logs"], exclude: [] });
    for (let n = 0; n < 50; n++) set.list([]);
    await set.listed();
    await expectHonestSetWorks();
    set.say("cancel", {});
  });
});

describe("row 66: a listing", () => {
  test.each([
    ["of a folder that is denied", { path: "private" }, "access_denied"],
    ["of what lies outside", { path: ".." }, "access_denied"],
    ["of the whole machine", { path: "/" }, "access_denied"],
    ["of a link", { path: "logs/link" }, "access_denied"],
    ["behind a name that nobody has", { path: "logs", after: "\u{10ffff}" }, undefined],
  ])("%s gives no more than the owner lets", async (_, fields, code) => {
    const stream = ++streams;
    const options = { limit: 1_000, chunk_size: 64 * 1024, max_offset: MiB };
    connection.send({ type: "list_request", stream, epoch: 1, ...options, ...fields });
    const answer = await waitFor(
      () =>
        [...connection.all("list_complete"), ...connection.all("error")].find(
          (message) => message.stream === stream,
        ),
      "an answer",
    );
    expect("code" in answer ? answer.code : undefined).toBe(code as never);
    expect(connection.all("frame").some((frame) => frame.stream === stream)).toBe(false);
    connection.send({ type: "done", stream, epoch: 1 });
  });
});

test("the client meets no error of its own in all that", () => {
  expect(client.log().filter((line) => "stack" in line || line["level"] === "none")).toEqual([]);
});
