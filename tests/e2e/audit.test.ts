import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { AuditRecord } from "../../lib/api/audit.ts";
import { ON_POSTGRES } from "../support/backend.ts";
import { runProgram } from "../support/operator.ts";
import { ScriptedClient, REGISTER } from "../support/scripted-client.ts";
import { writeRandom } from "../support/sources.ts";
import { API_TOKEN, ENROLL_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* The audit, seen from outside after one run that causes every kind of audited action. */

let system: System;
/** Every secret that was used in the run, right or wrong, by a name for messages. */
const secrets = new Map<string, string>([
  ["API_TOKEN", API_TOKEN],
  ["ENROLL_TOKEN", ENROLL_TOKEN],
  ["a wrong token", "a-wrong-token-that-was-shown"],
  ["a wrong enrolment token", "a-wrong-enrolment-token"],
  ["a scripted client's key", REGISTER.key],
]);
/** The output of all `fds` commands of the run, except the secrets that they print on purpose. */
let written = "";

const call = (path: string, init: RequestInit = {}) => fetch(system.url + path, init);
const bearer = (name: string) => ({ Authorization: `Bearer ${secrets.get(name)}` });

async function fds(...args: string[]): Promise<string> {
  const { stdout, stderr } = await runProgram(system, ["fds", ...args]);
  written += stderr + (args[1] === "create" ? "" : stdout);
  return stdout.trim();
}

beforeAll(async () => {
  system = await System.start({ LOG_LEVEL: "debug" });
  await writeRandom(system.source("data.bin"), 100_000);
  secrets.set("night", await fds("token", "create", "night", "--role", "operator"));
  secrets.set("eye", await fds("token", "create", "eye", "--role", "viewer", "--site", "none"));
  secrets.set("spring", await fds("enroll", "create", "spring", "--id", "site-*"));
  await system.startClient({ env: { ENROLL_TOKEN: secrets.get("spring")!, LOG_LEVEL: "debug" } });
  secrets.set("the client's key", await Bun.file(join(system.folder, "site-1/key")).text());
  await using stranger = await ScriptedClient.connect(system.url);
  stranger.send({ ...REGISTER, enroll_token: secrets.get("a wrong enrolment token") });
  await stranger.closed;

  const body = JSON.stringify({ client_id: "site-1", file_path: "data.bin" });
  const headers = bearer("night");
  const started = await call("/api/download", { method: "POST", headers, body });
  const { download_id } = (await started.json()) as { download_id: string };
  await system.ended(download_id);
  await (await call(`/api/downloads/${download_id}/content`, { headers })).arrayBuffer();
  await call(`/api/downloads/${download_id}`, { headers: bearer("eye") });
  await call(`/api/downloads/${download_id}/cancel`, { method: "POST", headers: bearer("eye") });
  for (let n = 0; n < 5; n++) await call("/api/clients", { headers: bearer("a wrong token") });
  await fds("status", await system.pull("missing.bin"));

  for (const token of ["night", "a wrong token"]) {
    const shown = JSON.stringify({ token: secrets.get(token) });
    const answer = await call("/api/session", { method: "POST", body: shown });
    const cookie = answer.headers.get("Set-Cookie")?.split(";")[0];
    if (cookie === undefined) continue;
    secrets.set("the cookie", cookie.split("=")[1]!);
    const own = { Cookie: cookie, Origin: system.url };
    const made = await call("/api/session/code", { method: "POST", headers: own });
    secrets.set("the code", ((await made.json()) as { code: string }).code);
    await call("/api/session", { method: "DELETE", headers: own });
  }
  await fds("revoke", "site-1");
  await fds("token", "revoke", "night");
  await fds("enroll", "revoke", "spring");
  await fds("token", "list");
  await fds("enroll", "list");
  await fds("clients");
});
afterAll(() => system?.[Symbol.asyncDispose]());

const line = ({ action, actor, outcome, count, target, client_id, file_path }: AuditRecord) =>
  [action, actor, outcome, count, target, client_id, file_path].map((it) => it ?? "-").join(" ");

test("everything is in it: who, what, and how it ended", async () => {
  const { records, next_cursor } = await system.api.audit({ limit: "1000" });
  expect(next_cursor).toBeNull();
  const lines = records.map(line);
  for (const expected of [
    "token_create API_TOKEN ok 1 night - -",
    "token_create API_TOKEN ok 1 eye - -",
    "enrolment_key_create API_TOKEN ok 1 spring - -",
    "client_register - ok 1 spring site-1 -",
    "client_register - enrolment_required 1 - scripted -",
    "download_start night ok 1 - site-1 data.bin",
    "download_end - ok 1 - site-1 data.bin",
    "download_end - file_not_found 1 - site-1 missing.bin",
    "content_fetch night ok 1 - site-1 data.bin",
    "denied eye forbidden 1 GET /api/downloads/:download_id site-1 -",
    "denied eye forbidden 1 POST /api/downloads/:download_id/cancel - -",
    "sign_in night ok 1 - - -",
    "sign_in - unauthorized 1 - - -",
    "sign_out night ok 1 - - -",
    "client_revoke API_TOKEN ok 1 - site-1 -",
    "token_revoke API_TOKEN ok 1 night - -",
    "enrolment_key_revoke API_TOKEN ok 1 spring - -",
  ]) {
    expect(lines).toContain(expected);
  }
  const wrong = records.filter(
    ({ action, outcome }) => action === "denied" && outcome === "unauthorized",
  );
  expect(wrong.reduce((sum, { count }) => sum + count, 0)).toBe(5);
  expect(new Set(records.map(({ address }) => address))).toEqual(new Set(["127.0.0.1", null]));
});

test("it can be asked for parts, page by page", async () => {
  const { records } = await system.api.audit({ limit: "1000" });
  const found: AuditRecord[] = [];
  for (let cursor: string | null = ""; cursor !== null;) {
    const page = await system.api.audit({ limit: "3", ...(cursor && { cursor }) });
    found.push(...page.records);
    cursor = page.next_cursor;
  }
  expect(found).toEqual(records);
  const night = await system.api.audit({ actor: "night", action: "content_fetch" });
  expect(night.records).toMatchObject([{ file_path: "data.bin", outcome: "ok" }]);
  const later = await system.api.audit({ since: new Date(Date.now() + 60_000).toISOString() });
  expect(later.records).toEqual([]);
  const shown = await fds("audit", "--action", "download_start", "--actor", "night");
  expect(shown).toMatch(
    /^20\S+\tnight\t127\.0\.0\.1\tdownload_start\tok\t1\tsite-1\t\tdata\.bin\t/,
  );
});

test("it is in the order of the times that it shows, the latest first", async () => {
  const lines = (await fds("audit", "--limit", "1000")).split("\n");
  const times = lines.map((text) => text.split("\t")[0]!);
  expect(times).toEqual(times.toSorted().toReversed());
  // Records that count repetitions are written late. They are listed by their own, earlier time, so none of
  // them is among the newest.
  const counts = lines.map((text) => Number(text.split("\t")[5]));
  expect(counts.findIndex((count) => count > 1)).toBeGreaterThan(5);
});

test.skipIf(ON_POSTGRES !== "")(
  `no secret of the run is in any log, answer, record or row${ON_POSTGRES}`,
  async () => {
    expect(secrets.size).toBe(11);
    const texts = new Map([["what operators were shown", written]]);
    for (const name of ["server.log", "site-1.log", "site-1/requests.log"]) {
      texts.set(name, await Bun.file(join(system.folder, name)).text());
    }
    for (const path of ["audit", "tokens", "enrolment-keys", "clients", "downloads"]) {
      const answer = await call(`/api/${path}`, { headers: bearer("API_TOKEN") });
      texts.set(path, await answer.text());
    }
    texts.set("metrics", await (await call("/metrics", { headers: bearer("API_TOKEN") })).text());
    const own = join(system.folder, "downloads/.server");
    const database = (await readdir(own)).filter((name) => name.startsWith("state.db"));
    expect(database).toContain("state.db");
    for (const name of database) {
      texts.set(name, Buffer.from(await Bun.file(join(own, name)).bytes()).toString("latin1"));
    }
    for (const [where, text] of texts) {
      expect(text.length, where).toBeGreaterThan(0);
      for (const [what, secret] of secrets) {
        expect(secret.length).toBeGreaterThan(10);
        expect(text.includes(secret), `${what} is in ${where}`).toBe(false);
      }
    }
  },
);
