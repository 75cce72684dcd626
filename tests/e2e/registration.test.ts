import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { ON_POSTGRES } from "../support/backend.ts";
import { Program } from "../support/programs.ts";
import { REGISTER, ScriptedClient } from "../support/scripted-client.ts";
import { writeRandom } from "../support/sources.ts";
import { ENROLL_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* Registration: real servers, real clients, and scripted clients that only speak the protocol. */

let system: System;
/** Clients that a test starts besides the one of `system`. */
let others: Program[];

async function startSystem(env: Record<string, string> = {}): Promise<void> {
  system = await System.start(env);
  await writeRandom(system.source("data.bin"), 100_000);
}

beforeEach(() => {
  others = [];
});
afterEach(async () => {
  for (const program of others) await program[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

interface Other {
  /** The name of the program in its log. */
  name: string;
  stateDir: string;
  env?: Record<string, string>;
  ready: RegExp;
}

/** Starts another client program with the id site-1. */
async function startOther({ name, stateDir, env = {}, ready }: Other): Promise<Program> {
  const { url, folder } = system;
  const argv = ["client.ts", "--id", "site-1", "--server", url, "--root", "root"];
  argv.push("--state-dir", stateDir);
  const program = await Program.start({ name, folder, argv, env, ready });
  others.push(program);
  return program;
}

/** The log line of a refused client, whose next try is 30 to 69 seconds later. */
const refused = (reason: string) =>
  new RegExp(`^the server refused: ${reason}.*; next try in [3-6]\\d\\.\\d s$`);

async function isConnected(clientId: string): Promise<boolean> {
  const clients = await system.api.clients();
  return clients.find(({ client_id }) => client_id === clientId)?.connected ?? false;
}

async function expectPullWorks(): Promise<void> {
  expect(await system.ended(await system.pull("data.bin"))).toMatchObject({ status: "completed" });
}

describe("with an enrolment token", () => {
  beforeEach(() => startSystem());

  test("a client enrols once and needs no token from then on", async () => {
    const client = await system.startClient();
    // A normal enrolment causes no warning in the logs and no refusal in the audit.
    for (const program of [client, system.server]) {
      expect(program.log().filter(({ level }) => level !== "info")).toEqual([]);
    }
    const { records } = await system.api.audit({ client_id: "site-1" });
    expect(records.map(({ outcome }) => outcome)).toEqual(["ok"]);
    const keyFile = join(system.folder, "site-1/key");
    const state = await readdir(join(system.folder, "site-1"));
    expect(state.toSorted()).toEqual(["connection.json", "key"]);
    if (process.platform !== "win32") expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
    client.signal("SIGTERM");
    expect(await client.ended()).toBe(0);

    const env = { ENROLL_TOKEN: "" };
    await startOther({ name: "again", stateDir: "site-1", env, ready: /registered as site-1/ });
    await expectPullWorks();
  });

  test.skipIf(ON_POSTGRES !== "")(
    `the server keeps no key, only what proves it${ON_POSTGRES}`,
    async () => {
      await system.startClient();
      const key = await Bun.file(join(system.folder, "site-1/key")).text();
      const own = join(system.folder, "downloads/.server");
      const files = (await readdir(own)).filter((name) => name.startsWith("state.db"));
      expect(files).toContain("state.db");
      for (const name of files) {
        expect((await Bun.file(join(own, name)).bytes()).toString()).not.toContain(key);
      }
    },
  );

  test.each([
    ["the wrong token", { ENROLL_TOKEN: "wrong" }, "enrolment_required: ENROLL_TOKEN is not"],
    ["no token", {}, "enrolment_required: this client has to enrol, set its ENROLL_TOKEN"],
  ])("a client with %s is refused, and does not hammer", async (_, env, reason) => {
    await startOther({ name: "stranger", stateDir: "strange", env, ready: refused(reason) });
    const tries = system.server.log().filter(({ message }) => /^registration|enrol/.test(message));
    expect(tries).toHaveLength(1);
    expect(await system.api.clients()).toEqual([]);
  });

  test.each(["connected", "away"])(
    "another key is refused while the true one is %s, with the token too",
    async (where) => {
      const client = await system.startClient();
      if (where === "away") {
        client.signal("SIGTERM");
        await client.ended();
        await waitFor(async () => !(await isConnected("site-1")), "the server to see it gone");
      }
      const env = { ENROLL_TOKEN };
      const ready = refused('key_mismatch: "site-1" belongs to another key');
      await startOther({ name: "thief", stateDir: "stolen", env, ready });
      expect(await isConnected("site-1")).toBe(where === "connected");
      if (where === "connected") await expectPullWorks();
    },
  );

  test.skipIf(ON_POSTGRES !== "")(
    `a client whose key the server forgot enrols again by itself${ON_POSTGRES}`,
    async () => {
      await system.startClient();
      system.server.signal("SIGTERM");
      expect(await system.server.ended()).toBe(0);
      const own = join(system.folder, "downloads/.server");
      for (const name of await readdir(own)) {
        if (name.startsWith("state.db")) await Bun.file(join(own, name)).delete();
      }
      await system.restartServer();
      await waitFor(() => isConnected("site-1"), "the client to come back");
      await system.server.waitForLine(/^client has to enrol$/);
      expect(system.server.log().filter(({ level }) => level !== "info")).toEqual([]);
      await expectPullWorks();
      // The id belongs to the key of the first client again, so a client with another key is refused.
      const ready = refused("key_mismatch");
      await startOther({ name: "thief", stateDir: "stolen", env: { ENROLL_TOKEN }, ready });
    },
  );

  test("the same key in a second process takes over, and the first does not fight", async () => {
    const first = await system.startClient();
    await startOther({ name: "second", stateDir: "site-1", ready: /registered as site-1/ });
    await first.waitForLine(refused("replaced: "));
    expect(await isConnected("site-1")).toBe(true);
    await expectPullWorks();
  });
});

describe("with no token", () => {
  beforeEach(() => startSystem({ ENROLL_TOKEN: "" }));

  test("any id registers, and holds its id while it is connected", async () => {
    await system.startClient({ env: { ENROLL_TOKEN: "" } });
    const ready = refused('id_in_use: another client is connected as "site-1"');
    await startOther({ name: "second", stateDir: "another", ready });
    await expectPullWorks();
  });

  test("and gives it up when it leaves", async () => {
    const first = await ScriptedClient.register(system.url, {});
    await first[Symbol.asyncDispose]();
    const again = { client_id: REGISTER.client_id, key: "another-key" };
    await waitFor(async () => !(await isConnected(again.client_id)), "it to be gone");
    await using second = await ScriptedClient.register(system.url, again);
    expect(second.isOpen).toBe(true);
    expect(await isConnected(again.client_id)).toBe(true);
  });

  test("two that come at the same moment do not both get the id", async () => {
    const clients = await Promise.all([1, 2, 3].map(() => ScriptedClient.connect(system.url)));
    for (const [n, client] of clients.entries()) client.send({ ...REGISTER, key: `key-${n}` });
    const refusals = () => clients.filter((client) => !client.isOpen);
    await waitFor(() => refusals().length === 2, "two of three to be refused");
    for (const client of refusals()) expect((await client.closed).code).toBe(4409);
    for (const client of clients) await client[Symbol.asyncDispose]();
  });

  test.each<[string, string | Uint8Array<ArrayBuffer>, number, RegExp]>([
    ["a frame", new Uint8Array(100), 1002, /^protocol_error: a frame came before register$/],
    ["junk", "hello", 1002, /^protocol_error: the message is not JSON$/],
    [
      "another message",
      '{"type":"proving","stream":0,"epoch":0,"offset":0}',
      1002,
      /first message/,
    ],
    ["a message of 64 KiB", `"${"x".repeat(65_535)}"`, 1009, /^message_too_large: /],
    [
      "an id with odd characters",
      JSON.stringify({ ...REGISTER, client_id: "a/../b" }),
      1002,
      /client_id: must be/,
    ],
    [
      "an id that is too long",
      JSON.stringify({ ...REGISTER, client_id: "x".repeat(65) }),
      1002,
      /client_id/,
    ],
    ["an id that is a number", JSON.stringify({ ...REGISTER, client_id: 7 }), 1002, /client_id/],
    [
      "a hostname that is too long",
      JSON.stringify({ ...REGISTER, hostname: "x".repeat(256) }),
      1002,
      /hostname/,
    ],
    [
      "a negative chunk size",
      JSON.stringify({ ...REGISTER, chunk_size: -4096 }),
      1002,
      /chunk_size/,
    ],
    [
      "a chunk size over 8 MiB",
      JSON.stringify({ ...REGISTER, chunk_size: 2 ** 23 + 1 }),
      1002,
      /chunk_size/,
    ],
    ["a key that is a list", JSON.stringify({ ...REGISTER, key: ["k"] }), 1002, /key/],
  ])("%s instead of a registration is refused with a reason", async (_, data, code, reason) => {
    const client = await ScriptedClient.connect(system.url);
    client.sendRaw(data);
    const closing = await client.closed;
    expect(closing.code).toBe(code);
    expect(closing.reason).toMatch(reason);
    expect(await system.api.clients()).toEqual([]);
  });

  test("what a newer client says more is no mistake", async () => {
    const client_id = "from-the-future";
    await using client = await ScriptedClient.connect(system.url);
    client.send({ ...REGISTER, client_id, compression: ["zstd"], battery: 0.5 });
    expect(await client.next("registered")).toMatchObject({ client_id });
  });
});
