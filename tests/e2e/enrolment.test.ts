import {
  afterAll,
  afterEach,
  beforeAll,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";
import { rename, utimes } from "node:fs/promises";
import { join } from "node:path";
import { runProgram } from "../support/operator.ts";
import { REGISTER, ScriptedClient } from "../support/scripted-client.ts";
import { writeRandom } from "../support/sources.ts";
import { ENROLL_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* Enrolment with real servers: which clients are accepted, stay accepted, and are cut off. */

let system: System;
beforeAll(async () => {
  system = await System.start();
});
afterAll(() => system?.[Symbol.asyncDispose]());

let names = 0;
const nextName = () => `key-${names++}`;

/** Makes an enrolment key. @returns its secret */
async function enrolmentKey(fields: object = {}): Promise<string> {
  const order = { name: nextName(), ids: "*", ...fields };
  return (await system.api.createEnrolmentKey(order)).enrolment_key;
}

/** Sends a registration with these fields. @returns "registered", or the error code of the refusal */
async function register(fields: object): Promise<string> {
  await using client = await ScriptedClient.connect(system.url);
  client.send({ ...REGISTER, ...fields });
  // The result is awaited here, because the client is disposed on return, which closes the connection.
  return await Promise.race([
    client.next("registered").then(({ type }) => type),
    client.closed.then(({ reason }) => reason.split(":")[0]!),
  ]);
}

describe("the first message of a client", () => {
  const ID = "site-of-the-matrix";
  const KEY = "the-key-of-the-matrix";
  const other = "another-machine-s-key";
  type Shown = () => Promise<object> | object;

  beforeAll(async () => {
    expect(await register({ client_id: ID, key: KEY, enroll_token: ENROLL_TOKEN })).toBe(
      "registered",
    );
    await register({ client_id: "revoked", key: KEY, enroll_token: ENROLL_TOKEN });
    await system.api.revokeClient("revoked");
  });

  const fresh = () => ({ client_id: `new-${names++}`, key: "a-new-client-s-key" });
  const withKey = (fields: object) => async () => ({
    ...fresh(),
    enroll_token: await enrolmentKey(fields),
  });

  test.each<[string, string, Shown]>([
    ["registered", "ENROLL_TOKEN", () => ({ ...fresh(), enroll_token: ENROLL_TOKEN })],
    ["registered", "an enrolment key", withKey({})],
    ["registered", "an enrolment key for such ids", withKey({ ids: "new-*" })],
    ["enrolment_required", "nothing", fresh],
    ["enrolment_required", "a wrong token", () => ({ ...fresh(), enroll_token: "wrong" })],
    ["enrolment_required", "an enrolment key for other ids", withKey({ ids: "old-*" })],
    [
      "enrolment_required",
      "an expired enrolment key",
      async () => {
        const name = nextName();
        const enroll_token = await enrolmentKey({ name, expires_in_seconds: 1 });
        const expiry = async () => {
          const keys = await system.api.enrolmentKeys();
          const end = keys.find((key) => key.name === name)?.expires_at;
          return end != null && Date.parse(end) < Date.now();
        };
        await waitFor(expiry, "the key to expire");
        return { ...fresh(), enroll_token };
      },
    ],
    [
      "enrolment_required",
      "a revoked enrolment key",
      async () => {
        const name = nextName();
        const enroll_token = await enrolmentKey({ name });
        await system.api.revokeEnrolmentKey(name);
        return { ...fresh(), enroll_token };
      },
    ],
    [
      "enrolment_required",
      "a stolen enrolment key after its limit",
      async () => {
        const enroll_token = await enrolmentKey({ max_uses: 2 });
        for (let n = 0; n < 2; n++) {
          expect(await register({ ...fresh(), enroll_token })).toBe("registered");
        }
        return { ...fresh(), enroll_token };
      },
    ],
    ["registered", "its own key", () => ({ client_id: ID, key: KEY })],
    ["key_mismatch", "another key", () => ({ client_id: ID, key: other })],
    [
      "key_mismatch",
      "another key and ENROLL_TOKEN",
      () => ({ client_id: ID, key: other, enroll_token: ENROLL_TOKEN }),
    ],
    [
      "key_mismatch",
      "another key and an enrolment key that replaces nothing",
      async () => ({ client_id: ID, key: other, enroll_token: await enrolmentKey() }),
    ],
    [
      "key_mismatch",
      "another key and an enrolment key that replaces another id",
      async () => ({
        client_id: ID,
        key: other,
        enroll_token: await enrolmentKey({ ids: "somebody-else", replace: true }),
      }),
    ],
    ["client_revoked", "a revoked key", () => ({ client_id: "revoked", key: KEY })],
    [
      "client_revoked",
      "a revoked id and ENROLL_TOKEN",
      () => ({ client_id: "revoked", key: other, enroll_token: ENROLL_TOKEN }),
    ],
    [
      "client_revoked",
      "a revoked key and an enrolment key that replaces it",
      async () => ({
        client_id: "revoked",
        key: KEY,
        enroll_token: await enrolmentKey({ ids: "revoked", replace: true }),
      }),
    ],
    [
      "registered",
      "a revoked id, and an enrolment key that lets another machine take it over",
      async () => ({
        client_id: "revoked",
        key: other,
        enroll_token: await enrolmentKey({ ids: "revoked", replace: true }),
      }),
    ],
  ])("%s: with %s", async (expected, _, shown) => {
    expect(await register(await shown())).toBe(expected);
  });

  test("of two that race for the last use of a key, one gets in", async () => {
    const enroll_token = await enrolmentKey();
    const answers = await Promise.all([1, 2, 3].map(() => register({ ...fresh(), enroll_token })));
    expect(answers.toSorted()).toEqual(["enrolment_required", "enrolment_required", "registered"]);
  });
});

describe("a real client", () => {
  /** A rate limit of 1 MiB/s, so that the download of 16 MiB lasts longer than the test. */
  const SLOW = { RATE_LIMIT: "1MiB" };

  beforeAll(() => writeRandom(system.source("big.bin"), 16 * 1024 * 1024));
  afterEach(() => {
    for (const program of started.splice(0)) program.signal("SIGKILL");
  });
  const started: Awaited<ReturnType<System["startClient"]>>[] = [];

  async function start(id: string, env: Record<string, string>) {
    const client = await system.startClient({ id, env });
    started.push(client);
    return client;
  }

  test("that is revoked amidst a transfer is cut off, and another takes its place", async () => {
    const client = await start("site-1", SLOW);
    const id = await system.pull("big.bin");
    await waitFor(async () => (await system.api.download(id)).bytes_received > 0, "bytes to flow");
    const cut = await runProgram(system, ["fds", "revoke", "site-1"]);
    expect(cut).toMatchObject({ exitCode: 0, stderr: "" });
    expect(cut.stdout).toStartWith("site-1\trevoked\t");
    await client.waitForLine(/^the server refused: client_revoked: .* next try in [3-6]\d/);
    const record = await waitFor(async () => {
      const found = await system.api.download(id);
      return found.status === "queued" && found;
    }, "the download to wait");
    expect(record).toMatchObject({ error: null, error_code: null });
    client.signal("SIGTERM");
    await client.ended();

    // The replacement machine has a new client key, so it needs an enrolment key that may replace the old
    // one.
    await rename(join(system.folder, "site-1"), join(system.folder, "site-1-stolen"));
    const made = await runProgram(system, [
      ...["fds", "enroll", "create", "new-till", "--id", "site-1", "--replace"],
    ]);
    expect(made.exitCode).toBe(0);
    await start("site-1", { ENROLL_TOKEN: made.stdout.trim() });
    expect((await system.ended(id)).status).toBe("completed");
    const keys = await system.api.enrolmentKeys();
    const key = keys.find(({ name }) => name === "new-till");
    expect(key).toMatchObject({ uses: 1, max_uses: 1, replace: true });
    const thief = { client_id: "site-1", key: await keyOf("site-1-stolen") };
    expect(await register(thief)).toBe("key_mismatch");

    const { records } = await system.api.audit({ client_id: "site-1" });
    const told = records.map(({ action, outcome, target }) => [action, outcome, target].join(" "));
    // The list is reversed, because the audit lists the newest first. Repetitions are counted in a second
    // record, which is dropped.
    expect(told.toReversed().filter((line, at, all) => all.indexOf(line) === at)).toEqual([
      "client_register ok ",
      "download_start ok ",
      "client_revoke ok ",
      "client_register ok new-till",
      "download_end ok ",
      "client_register key_mismatch ",
    ]);
  });

  const keyOf = (folder: string) => Bun.file(join(system.folder, folder, "key")).text();

  test("replaces a key that is too old, and the old one is good no more", async () => {
    const client = await start("site-2", {});
    const old = await keyOf("site-2");
    client.signal("SIGTERM");
    await client.ended();
    const then = new Date(Date.now() - 2 * 86_400_000);
    await utimes(join(system.folder, "site-2/key"), then, then);
    await client.restart(["--key-max-age", "1d"]);
    await client.waitForLine(/^the client has a new key$/);
    const key = await keyOf("site-2");
    expect(key).not.toBe(old);
    expect(await register({ client_id: "site-2", key: old })).toBe("key_mismatch");
    expect(await register({ client_id: "site-2", key })).toBe("registered");
  });

  test("that never heard that its new key was taken is let in all the same", async () => {
    const client = await start("site-3", {});
    client.signal("SIGTERM");
    await client.ended();
    // The files as a power cut leaves them after the client sent its new key and before the server answered.
    const [key, new_key] = [await keyOf("site-3"), "N".repeat(43)];
    await Bun.write(join(system.folder, "site-3/key.new"), new_key);
    expect(await register({ client_id: "site-3", key, new_key })).toBe("registered");
    await client.restart();
    await client.waitForLine(/^the client has a new key$/);
    expect(await keyOf("site-3")).toBe(new_key);
  });
});

test("fds enroll makes, lists and revokes keys", async () => {
  const fds = (...args: string[]) => runProgram(system, ["fds", "enroll", ...args]);
  const made = await fds("create", "spring", "--id", "till-*", "--uses", "unlimited");
  expect(made.stdout).toMatch(/^fds_enroll_[\w-]{43}\n$/);
  expect((await fds("list")).stdout).toMatch(/^spring\ttill-\*\t0\t\tfalse\tgood\t/m);
  expect((await fds("revoke", "spring")).stdout).toContain("\trevoked\t");
  for (const [args, named] of [
    [["create", "x"], "--id"],
    [["create", "x", "--id", "a/b"], '"a/b"'],
    [["create", "x", "--id", "a", "--uses", "0"], '"0"'],
  ] as const) {
    const { exitCode, stderr } = await fds(...args);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(named);
  }
  const all = await fds("create", "x", "--id", "*", "--replace");
  expect(all).toMatchObject({ exitCode: 1, stdout: "" });
  expect(all.stderr).toContain("name the one id");
});
