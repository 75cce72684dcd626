import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { endpoints } from "../../lib/api/endpoints.ts";
import type { Endpoint } from "../../lib/api/endpoints/endpoint.ts";
import { mayActAs, type Role, ROLES } from "../../lib/api/roles.ts";
import { ClientList, DownloadList, SignInCode, Totals } from "../../lib/api/schemas.ts";
import { ScriptedClient } from "../support/scripted-client.ts";
import { API_TOKEN, ENROLL_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Who may call what: every endpoint × every way to show who one is, each answer exactly that of the
 * table in lib/api/endpoints.ts. A new endpoint without a sample below does not compile, nor pass.
 */

type Name = keyof typeof endpoints;

/** One call, chosen so that it can be made again and again. */
interface Sample {
  /** In place of the parameter of the path. */
  of?: () => string;
  query?: string;
  body?: () => object;
  /** The status for who may. */
  allowed: number;
  /** The status for who may do such things, but with another site. */
  elsewhere?: number;
  /** The status for who sees some sites only, whichever. */
  limited?: number;
}

const NOWHERE = "no-such-thing";
/** Id of the completed download at site-1. */
let completed = "";
let names = 0;

const SAMPLES: Record<Name, Sample> = {
  health: { allowed: 200 },
  live: { allowed: 200 },
  metrics: { allowed: 200, limited: 403 },
  openapi: { allowed: 200 },
  getSession: { allowed: 200 },
  signIn: { allowed: 200, body: () => ({ token: API_TOKEN }) },
  signOut: { allowed: 200 },
  createSignInCode: { allowed: 200 },
  totals: { allowed: 200, query: "since=2020-01-01T00:00:00Z" },
  listClients: { allowed: 200 },
  // The client is away.
  listClientFiles: { allowed: 409, elsewhere: 404, of: () => "site-1" },
  startDownload: {
    // The client is away.
    allowed: 409,
    elsewhere: 404,
    body: () => ({ client_id: "site-1", if_offline: "fail" }),
  },
  listDownloads: { allowed: 200, query: "client_id=site-1" },
  getDownload: { allowed: 200, elsewhere: 404, of: () => completed },
  listSetFiles: { allowed: 200, elsewhere: 404, of: () => completed },
  downloadContent: { allowed: 200, elsewhere: 404, of: () => completed },
  downloadEvents: { allowed: 200, elsewhere: 404, of: () => completed },
  events: { allowed: 200 },
  removeContent: { allowed: 404, of: () => NOWHERE },
  // It has ended.
  changeDownload: {
    allowed: 409,
    elsewhere: 404,
    of: () => completed,
    body: () => ({ rate_limit: null }),
  },
  cancelDownload: { allowed: 409, elsewhere: 404, of: () => completed },
  retryDownload: { allowed: 409, elsewhere: 404, of: () => completed },
  changeClient: { allowed: 404, of: () => NOWHERE, body: () => ({ labels: {} }) },
  revokeClient: { allowed: 404, of: () => NOWHERE },
  // It matches nobody.
  createJob: {
    allowed: 400,
    body: () => ({ clients: { labels: "no=such" }, download: {} }),
  },
  listJobs: { allowed: 200 },
  getJob: { allowed: 404, of: () => NOWHERE },
  changeJob: { allowed: 404, of: () => NOWHERE, body: () => ({ max_concurrent: 1 }) },
  cancelJob: { allowed: 404, of: () => NOWHERE },
  pauseJob: { allowed: 404, of: () => NOWHERE },
  resumeJob: { allowed: 404, of: () => NOWHERE },
  rerunJob: { allowed: 404, of: () => NOWHERE },
  // Two in one place.
  createSchedule: {
    allowed: 400,
    body: () => ({
      name: "nightly",
      cron: "0 3 * * *",
      job: { clients: { all: true, labels: "a" }, download: {} },
    }),
  },
  listSchedules: { allowed: 200 },
  getSchedule: { allowed: 404, of: () => NOWHERE },
  changeSchedule: { allowed: 404, of: () => NOWHERE, body: () => ({ paused: true }) },
  deleteSchedule: { allowed: 404, of: () => NOWHERE },
  previewSchedule: { allowed: 404, of: () => NOWHERE },
  previewTimes: { allowed: 200, body: () => ({ cron: "@daily" }) },
  runSchedule: { allowed: 404, of: () => NOWHERE },
  listDeliveries: { allowed: 404, of: () => NOWHERE },
  showBoard: { allowed: 404, of: () => NOWHERE },
  listEnrolmentKeys: { allowed: 200 },
  createEnrolmentKey: { allowed: 201, body: () => ({ name: `made-${names++}`, ids: "kiosk-*" }) },
  revokeEnrolmentKey: { allowed: 404, of: () => NOWHERE },
  audit: { allowed: 200 },
  listTokens: { allowed: 200 },
  createToken: { allowed: 201, body: () => ({ name: `made-${names++}`, role: "viewer" }) },
  revokeToken: { allowed: 404, of: () => NOWHERE },
  listWebhooks: { allowed: 200 },
  createWebhook: {
    allowed: 201,
    body: () => ({ name: `made-${names++}`, url: "https://8.8.8.8/", events: ["job.failed"] }),
  },
  getWebhook: { allowed: 404, of: () => NOWHERE },
  changeWebhook: { allowed: 404, of: () => NOWHERE, body: () => ({ disabled: true }) },
  deleteWebhook: { allowed: 404, of: () => NOWHERE },
  testWebhook: { allowed: 404, of: () => NOWHERE },
  rotateWebhookSecret: { allowed: 404, of: () => NOWHERE },
  listWebhookAttempts: { allowed: 404, of: () => NOWHERE },
  replayWebhookAttempt: { allowed: 404, of: () => NOWHERE },
};

/** A way to show who one is, and what it is worth. */
interface Credential {
  headers: () => Record<string, string>;
  /** null: nothing. */
  role: Role | null;
  /** The only site that it sees. */
  site?: "site-1" | "site-2";
}

let system: System;
const secrets = new Map<string, string>();
const cookies = new Map<string, string>();

const bearer = (name: string) => ({ Authorization: `Bearer ${secrets.get(name)}` });
const cookie = (name: string) => ({ Cookie: cookies.get(name)!, Origin: system.url });

const CREDENTIALS: Record<string, Credential> = {
  nothing: { headers: () => ({}), role: null },
  "a wrong token": { headers: () => ({ Authorization: "Bearer wrong" }), role: null },
  "an expired token": { headers: () => bearer("expired"), role: null },
  "a revoked token": { headers: () => bearer("revoked"), role: null },
  "the API_TOKEN": { headers: () => ({ Authorization: `Bearer ${API_TOKEN}` }), role: "admin" },
  "a session that was signed out": { headers: () => cookie("left"), role: null },
  "a session of a revoked token": { headers: () => cookie("revoked"), role: null },
  "an admin's session": { headers: () => cookie("admin"), role: "admin" },
  "a viewer's session": { headers: () => cookie("viewer"), role: "viewer" },
  ...Object.fromEntries(
    ROLES.map((role) => [`a token of the role ${role}`, { headers: () => bearer(role), role }]),
  ),
  ...Object.fromEntries(
    (["viewer", "operator"] as const).flatMap((role) => [
      [
        `a token of the role ${role} for this site`,
        { headers: () => bearer(`${role}-1`), role, site: "site-1" as const },
      ],
      [
        `a token of the role ${role} for another site`,
        { headers: () => bearer(`${role}-2`), role, site: "site-2" as const },
      ],
    ]),
  ),
};

beforeAll(async () => {
  system = await System.start();
  for (const client_id of ["site-1", "site-2"]) {
    const fields = { client_id, key: `the-key-of-${client_id}`, enroll_token: ENROLL_TOKEN };
    await using client = await ScriptedClient.register(system.url, fields);
    const id = await system.pull("data.bin", client_id);
    client.deliver(await client.next("download_request"), new Uint8Array(100));
    expect((await system.ended(id)).status).toBe("completed");
    if (client_id === "site-1") completed = id;
  }
  await waitFor(
    async () => (await system.api.clients()).every(({ connected }) => !connected),
    "the clients to be gone",
  );
  for (const role of ROLES) await makeToken(role, role);
  for (const role of ["viewer", "operator"] as const) {
    for (const n of [1, 2]) await makeToken(`${role}-${n}`, role, [`site-${n}`]);
  }
  await makeToken("expired", "admin", null, 1);
  await makeToken("revoked", "admin");
  for (const name of ["admin", "viewer", "revoked"]) await signIn(name, secrets.get(name)!);
  await signIn("left", API_TOKEN);
  const headers = cookie("left");
  await fetch(`${system.url}/api/session`, { method: "DELETE", headers });
  await system.api.revokeToken("revoked");
  await waitFor(
    async () => (await call(endpoints.listClients, {}, bearer("expired"))).status === 401,
    "the token to expire",
  );
});
afterAll(() => system?.[Symbol.asyncDispose]());

async function makeToken(
  name: string,
  role: Role,
  sites: string[] | null = null,
  expires_in_seconds: number | null = null,
): Promise<void> {
  const { token } = await system.api.createToken({ name, role, sites, expires_in_seconds });
  secrets.set(name, token);
}

async function signIn(name: string, token: string): Promise<void> {
  const response = await fetch(`${system.url}/api/session`, {
    method: "POST",
    body: JSON.stringify({ token }),
  });
  expect(response.status).toBe(200);
  cookies.set(name, response.headers.get("Set-Cookie")!.split(";")[0]!);
}

function call(
  { method, path }: Endpoint,
  { of, query, body }: Partial<Sample>,
  headers: Record<string, string>,
): Promise<Response> {
  const url = `${system.url}${path.replace(/:\w+/, of?.() ?? "")}${query ? `?${query}` : ""}`;
  return fetch(url, { method, headers, body: body && JSON.stringify(body()) });
}

function expectedOf({ role }: Endpoint, sample: Sample, credential: Credential): number {
  if (role === "anyone") return sample.allowed;
  if (credential.role === null) return 401;
  if (!mayActAs(credential.role, role)) return 403;
  if (credential.site === undefined) return sample.allowed;
  const { allowed, limited = allowed, elsewhere = limited } = sample;
  return credential.site === "site-1" ? limited : elsewhere;
}

test("every endpoint has a sample", () => {
  expect(Object.keys(SAMPLES).toSorted()).toEqual(Object.keys(endpoints).toSorted());
});

describe.each(Object.entries(CREDENTIALS))("with %s", (_, credential) => {
  test.each(Object.keys(endpoints) as Name[])("%s", async (name) => {
    const endpoint: Endpoint = endpoints[name];
    const sample = SAMPLES[name];
    const methods = endpoint.head ? (["GET", "HEAD"] as const) : [endpoint.method];
    // A sign-out ends the session that shows it, and others still need theirs.
    const headers = name === "signOut" ? {} : credential.headers();
    for (const method of methods) {
      const asked = { ...endpoint, method } as Endpoint;
      const response = await call(asked, sample, headers);
      await response.body?.cancel();
      expect(response.status).toBe(expectedOf(endpoint, sample, credential));
    }
  });
});

describe("a token for one site", () => {
  const read = async (name: Name) =>
    (await call(endpoints[name], { query: SAMPLES[name].query }, bearer("viewer-2"))).json();

  test("is shown that site alone, in every list", async () => {
    const { clients } = ClientList.parse(await read("listClients"));
    expect(clients.map(({ client_id }) => client_id)).toEqual(["site-2"]);
    const answer = await call(endpoints.listDownloads, {}, bearer("viewer-2"));
    const { downloads } = DownloadList.parse(await answer.json());
    expect(downloads.map(({ client_id }) => client_id)).toEqual(["site-2"]);
    expect(DownloadList.parse(await read("listDownloads")).downloads).toEqual([]);
    const totals = Totals.parse(await read("totals"));
    expect([totals.downloads.completed, totals.bytes_received]).toEqual([1, 100]);
  });

  test("cannot tell what another site has from what nobody has", async () => {
    for (const name of ["getDownload", "downloadContent", "downloadEvents"] as const) {
      const answers = await Promise.all(
        [completed, NOWHERE].map(async (id) =>
          (await call(endpoints[name], { of: () => id }, bearer("viewer-2"))).json(),
        ),
      );
      expect(answers[0]).toEqual(answers[1]);
    }
  });
});

test("a token that is revoked ends the events that it reads", async () => {
  await makeToken("reader", "viewer");
  const response = await call(endpoints.events, {}, bearer("reader"));
  const reader = response.body!.getReader();
  await reader.read();
  await system.api.revokeToken("reader");
  while (!(await reader.read()).done);
  expect((await call(endpoints.events, {}, bearer("reader"))).status).toBe(401);
});

test("a token says when it was used, and keeps its name while it is good", async () => {
  const tokens = await system.api.tokens();
  const of = (name: string) => tokens.find((token) => token.name === name);
  expect(of("viewer")?.last_used_at).toEqual(expect.any(String));
  expect(of("revoked")?.revoked_at).toEqual(expect.any(String));
  expect(of("viewer-2")?.sites).toEqual(["site-2"]);
  const again = (name: string) => system.api.createToken({ name, role: "viewer" });
  await expect(again("viewer")).rejects.toThrow('or revoke the token "viewer" first');
  for (const name of ["revoked", "expired"]) {
    const { token, record } = await again(name);
    expect(record).toMatchObject({ role: "viewer", revoked_at: null, expires_at: null });
    const status = async (headers: Record<string, string>) =>
      (await call(endpoints.listClients, {}, headers)).status;
    expect(await status({ Authorization: `Bearer ${token}` })).toBe(200);
    expect(await status(bearer(name))).toBe(401);
  }
  expect((await call(endpoints.listClients, {}, cookie("revoked"))).status).toBe(401);
  const limited = system.api.createToken({ name: "x", role: "admin", sites: ["site-1"] });
  await expect(limited).rejects.toThrow("an admin sees all sites");
});

test("a code that was made in a session ends with it", async () => {
  await signIn("thief", API_TOKEN);
  const path = "/api/session/code";
  const headers = cookie("thief");
  const made = await fetch(system.url + path, { method: "POST", headers });
  const { code } = SignInCode.parse(await made.json());
  await fetch(`${system.url}/api/session`, { method: "DELETE", headers });
  const body = JSON.stringify({ code });
  const redeemed = await fetch(`${system.url}/api/session`, { method: "POST", body });
  expect(redeemed.status).toBe(401);
  expect(redeemed.headers.get("Set-Cookie")).toBeNull();
});

test("who guesses tokens is told how long to wait, and whose token is right is not", async () => {
  let guesses = 0;
  const guess = () =>
    call(endpoints.listClients, {}, { Authorization: `Bearer guess-${guesses++}` });
  const limited = await waitFor(async () => {
    const answer = await guess();
    return answer.status === 429 && answer;
  }, "it to be slowed");
  expect(guesses).toBeLessThanOrEqual(11);
  expect(await limited.json()).toMatchObject({ code: "rate_limited" });
  expect(Number(limited.headers.get("Retry-After"))).toBeWithin(1, 31);
  expect((await call(endpoints.listClients, {}, bearer("viewer"))).status).toBe(200);
});

test("who guesses is told how long to wait", async () => {
  const guess = () =>
    fetch(`${system.url}/api/session`, { method: "POST", body: '{"token":"a guess"}' });
  const response = await waitFor(async () => {
    const answer = await guess();
    return answer.status === 429 && answer;
  }, "it to be slowed");
  expect(await response.json()).toMatchObject({ code: "rate_limited" });
  expect(Number(response.headers.get("Retry-After"))).toBeWithin(1, 31);
});
