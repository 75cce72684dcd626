import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runProgram } from "../support/operator.ts";
import { REGISTER, ScriptedClient } from "../support/scripted-client.ts";
import { API_TOKEN, ENROLL_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* Browsing the folders of a site, by REST and on the command line, with real programs. */

let system: System;

beforeAll(async () => {
  system = await System.start();
  const root = join(system.folder, "root");
  await mkdir(join(root, "logs/deep"), { recursive: true });
  await mkdir(join(root, "private"));
  await mkdir(join(root, ".git"));
  await mkdir(join(root, "empty"));
  for (const file of ["b.csv", "a.csv", "é.csv", "😀.csv", "｡.csv", ".hidden", "server.key"]) {
    await writeFile(join(root, file), "content");
  }
  await writeFile(Buffer.from(`${root}/caf\xe9.csv`, "latin1"), "");
  await symlink("/etc", join(root, "link"));
  await writeFile(join(root, "private/p.csv"), "");
  for (let n = 0; n < 25; n++)
    await writeFile(join(root, "logs", `day-${n + 10}.log`), "x".repeat(n));
  await system.startClient({ env: { CLIENT_DENY: "private" } });
  await system.startClient({ id: "site-2", env: { CLIENT_BROWSE: "off" } });
});
afterAll(() => system[Symbol.asyncDispose]());

interface Page {
  entries: { name: string; path: string; type: string; size: number | null }[];
  next_cursor: string | null;
  truncated: boolean;
}

async function browse(query: Record<string, string>, client = "site-1") {
  const search = new URLSearchParams(query);
  const response = await fetch(`${system.url}/api/clients/${client}/files?${search}`, {
    headers: { Authorization: `Bearer ${API_TOKEN}` },
  });
  return { status: response.status, body: (await response.json()) as Page & { code?: string } };
}

const namesOf = ({ body }: { body: Page }) => body.entries.map(({ name }) => name);

describe("a listing", () => {
  test("without a path is of the roots, whose paths lead into them", async () => {
    const { status, body } = await browse({});
    expect(status).toBe(200);
    expect(body.entries).toEqual([
      expect.objectContaining({ type: "folder", size: null, path: body.entries[0]!.name }),
    ]);
    const inside = await browse({ path: body.entries[0]!.path });
    expect(namesOf(inside)).toContain("a.csv");
  });

  test("has what may leave, in the order of the bytes of the names", async () => {
    const { body } = await browse({ path: "." });
    expect(body.entries.map(({ name, type }) => [name, type])).toEqual([
      ["a.csv", "file"],
      ["b.csv", "file"],
      ["empty", "folder"],
      ["logs", "folder"],
      ["é.csv", "file"],
      ["｡.csv", "file"],
      ["😀.csv", "file"],
    ]);
    expect(body.entries[0]).toEqual({
      name: "a.csv",
      path: "a.csv",
      type: "file",
      size: 7,
      modified_at: expect.stringMatching(/^20\d\d-\d\d-\d\dT[\d:.]+Z$/),
    } as never);
    expect(body).toMatchObject({
      client_id: "site-1",
      path: ".",
      next_cursor: null,
      truncated: false,
    });
  });

  test("comes in pages, each name once", async () => {
    const all: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const page = await browse({ path: "logs", limit: "7", ...(cursor && { cursor }) });
      expect(page.body.entries.length).toBeLessThanOrEqual(7);
      all.push(...namesOf(page));
      cursor = page.body.next_cursor;
    }
    expect(all).toEqual([...Array.from({ length: 25 }, (_, n) => `day-${n + 10}.log`), "deep"]);
  });

  test("of an empty folder is empty", async () => {
    expect((await browse({ path: "empty" })).body.entries).toEqual([]);
  });

  test("leads to files that can be pulled", async () => {
    const { body } = await browse({ path: "logs" });
    const record = await system.ended(await system.pull(body.entries[3]!.path));
    expect(record).toMatchObject({ status: "completed", total_size: 3 });
  });

  test.each([
    ["/etc", 403, "access_denied"],
    ["/no-such-folder", 403, "access_denied"],
    ["../..", 403, "access_denied"],
    ["link", 403, "access_denied"],
    ["private", 403, "access_denied"],
    [".git", 403, "access_denied"],
    [".no-such", 403, "access_denied"],
    ["no-such", 404, "file_not_found"],
    ["server.key", 403, "access_denied"],
    ["a.csv", 400, "not_a_folder"],
    ["a.csv/b", 404, "file_not_found"],
    ["x".repeat(300), 404, "file_not_found"],
    ["\u001b[31m\n", 404, "file_not_found"],
  ])("of %j is refused: %d %s", async (path, status, code) => {
    const answer = await browse({ path });
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });

  test.each([
    [{ path: "" }, 400, "invalid_request"],
    [{ path: "a\0b" }, 400, "invalid_request"],
    [{ limit: "1001" }, 400, "invalid_request"],
    [{ cursor: "?" }, 400, "invalid_request"],
    [{ cursor: "_w" }, 400, "invalid_request"],
    [{ depth: "2" }, 400, "invalid_request"],
  ])("asked for by %j is refused: %d %s", async (query, status, code) => {
    const answer = await browse(query);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });

  test("of a site that lists nothing is refused, and its files come all the same", async () => {
    const answer = await browse({}, "site-2");
    expect([answer.status, answer.body.code]).toEqual([403, "access_denied"]);
    const record = await system.ended(await system.pull("a.csv", "site-2"));
    expect(record.status).toBe("completed");
  });

  test("of nobody, and of a client that is away, says so", async () => {
    expect((await browse({}, "nobody")).body.code).toBe("client_not_found");
    const away = await ScriptedClient.register(system.url, {
      client_id: "away",
      enroll_token: ENROLL_TOKEN,
    } as never);
    await away[Symbol.asyncDispose]();
    await waitFor(
      async () => (await browse({}, "away")).body.code === "client_not_connected",
      "the client to be away",
    );
  });
});

describe("a client that is asked for a listing", () => {
  const register = (client_id: string, fields: object) =>
    ScriptedClient.register(system.url, {
      ...REGISTER,
      client_id,
      enroll_token: ENROLL_TOKEN,
      ...fields,
    } as never);

  test("and is too old is not asked at all", async () => {
    await using _ = await register("old", {});
    const answer = await browse({}, "old");
    expect([answer.status, answer.body.code]).toEqual([409, "client_outdated"]);
  });

  test("and never answers is given up after 10 s, and told so", async () => {
    await using client = await register("mute", { features: ["list"] });
    const asked = browse({}, "mute");
    const { stream } = await client.next("list_request");
    const answer = await asked;
    expect([answer.status, answer.body.code]).toEqual([504, "client_timeout"]);
    expect(await client.next("cancel")).toMatchObject({ stream });
  });

  test("by more than four at once is asked by four", async () => {
    await using client = await register("slow", { features: ["list"] });
    const asked = Array.from({ length: 5 }, () => browse({}, "slow"));
    const refused = await Promise.race(asked);
    expect([refused.status, refused.body.code]).toEqual([429, "rate_limited"]);
    for (let n = 0; n < 4; n++) {
      const request = await client.next("list_request");
      client.send({
        type: "list_complete",
        stream: request.stream,
        epoch: request.epoch,
        total_size: 0,
        more: false,
        truncated: false,
      });
    }
    const answers = await Promise.all(asked);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 200, 200, 200, 429]);
  });

  test.each([
    ["a size that is another", { total_size: 7, more: false, truncated: false }],
    ["no JSON", { total_size: 0, more: "yes", truncated: false }],
  ])("and answers with %s is cut off", async (_, fields) => {
    await using client = await register("liar", { features: ["list"] });
    const asked = browse({}, "liar");
    const { stream, epoch } = await client.next("list_request");
    client.send({ type: "list_complete", stream, epoch, ...fields });
    expect((await asked).status).toBeGreaterThanOrEqual(500);
    expect((await client.closed).code).toBe(1002);
  });

  test("and sends what is no name is told of as broken", async () => {
    await using client = await register("liar", { features: ["list"] });
    const asked = browse({}, "liar");
    const request = await client.next("list_request");
    const bytes = new TextEncoder().encode('{"name":"","type":"file"}\n');
    client.sendFrames(request as never, bytes);
    const { stream, epoch } = request;
    client.send({
      type: "list_complete",
      stream,
      epoch,
      total_size: bytes.length,
      more: false,
      truncated: false,
    });
    expect(await asked).toMatchObject({ status: 500, body: { code: "protocol_error" } });
  });
});

test("the audit and the site's own log have what was looked at", async () => {
  await browse({ path: "logs/deep" });
  const audit = await waitFor(async () => {
    const response = await fetch(`${system.url}/api/audit?action=browse`, {
      headers: { Authorization: `Bearer ${API_TOKEN}` },
    });
    const { records } = (await response.json()) as { records: { file_path: string }[] };
    return records.find(({ file_path }) => file_path === "logs/deep");
  }, "the audit to have it");
  expect(audit).toMatchObject({ client_id: "site-1", outcome: "ok", actor: "API_TOKEN" });
  // The client writes its log line only after the server confirmed that it has the whole listing.
  await waitFor(async () => {
    const log = Bun.file(join(system.folder, "site-1/requests.log"));
    return (
      (await log.exists()) &&
      (await log.text()).includes('"action":"browse","file_path":"logs/deep"')
    );
  }, "the site's own log to have it");
});

test("fds ls lists a folder, and says what is wrong", async () => {
  const listed = await runProgram(system, ["fds", "ls", "site-1", "logs"]);
  expect(listed.exitCode).toBe(0);
  expect(listed.stdout.split("\n")[0]).toMatch(/^file\t0\t20\d\d-\S+\tlogs\/day-10\.log$/);
  expect(listed.stdout.trim().split("\n")).toHaveLength(26);
  const denied = await runProgram(system, ["fds", "ls", "site-1", "/etc"]);
  expect(denied).toMatchObject({ exitCode: 1, stdout: "" });
  expect(denied.stderr).toContain("is not in a folder that the client serves");
  const json = await runProgram(system, ["fds", "ls", "site-1", "empty", "--json"]);
  expect(JSON.parse(json.stdout)).toEqual({ entries: [], truncated: false });
});

test("fds ls lists more names than a page has", async () => {
  const folder = join(system.folder, "root/many");
  await mkdir(folder);
  const names = Array.from({ length: 1_100 }, (_, n) => `${n}.txt`);
  for (const name of names) await writeFile(join(folder, name), "");
  const listed = await runProgram(system, ["fds", "ls", "site-1", "many"]);
  const lines = listed.stdout.trim().split("\n");
  expect(new Set(lines.map((line) => line.split("\t")[3]))).toEqual(
    new Set(names.map((name) => `many/${name}`)),
  );
  const json = await runProgram(system, ["fds", "ls", "site-1", "many", "--json"]);
  expect(JSON.parse(json.stdout).entries).toHaveLength(names.length);
});
