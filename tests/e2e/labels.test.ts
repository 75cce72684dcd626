import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { ClientList } from "../../lib/api/schemas.ts";
import { Listener } from "../support/events.ts";
import { ScriptedClient } from "../support/scripted-client.ts";
import { API_TOKEN, ENROLL_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* Labels that an admin gives to clients, and tokens that see only clients with certain labels. */

let system: System;
const peers: ScriptedClient[] = [];

const register = async (client_id: string, fields: object = {}) => {
  const enrolment = { client_id, enroll_token: ENROLL_TOKEN, key: `key of ${client_id}` };
  const peer = await ScriptedClient.register(system.url, { ...enrolment, ...fields });
  peers.push(peer);
  return peer;
};

const call = async (method: string, path: string, body?: object, token = API_TOKEN) => {
  const response = await fetch(`${system.url}/api/${path}`, {
    method,
    headers: { Authorization: `Bearer ${token}` },
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};
const change = (clientId: string, body: object) => call("PATCH", `clients/${clientId}`, body);
const listed = async (query: string, token?: string) => {
  const { body } = await call("GET", `clients?${query}`, undefined, token);
  return ClientList.parse(body).clients.map(({ client_id }) => client_id);
};

beforeAll(async () => {
  system = await System.start();
  await register("site-1", { time_zone: "Asia/Tokyo" });
  await register("site-2", { time_zone: "Nowhere/Land" });
  await register("site-3");
});
afterAll(async () => {
  for (const peer of peers) await peer[Symbol.asyncDispose]();
  await system?.[Symbol.asyncDispose]();
});

describe("an admin", () => {
  test("sets and removes labels, which no registration changes", async () => {
    const { status, body } = await change("site-1", { labels: { region: "west", tier: "gold" } });
    expect(status).toBe(200);
    expect(body).toMatchObject({ client_id: "site-1", labels: { region: "west", tier: "gold" } });
    await change("site-1", { labels: { tier: null, size: "m" } });
    await register("site-1");
    const [first] = ClientList.parse((await call("GET", "clients")).body).clients;
    expect(first?.labels).toEqual({ region: "west", size: "m" });
    const audit = await call("GET", "audit?action=client_change&client_id=site-1");
    expect(audit.body["records"]).toContainEqual(
      expect.objectContaining({ actor: "API_TOKEN", outcome: "ok" }),
    );
  });

  test("says in which time zone a client is, or leaves it to the client", async () => {
    const zone = async (clientId: string, body: object) =>
      (await change(clientId, body)).body["time_zone"] as string;
    await register("site-1", { time_zone: "Asia/Tokyo" });
    expect(await zone("site-1", {})).toBe("Asia/Tokyo");
    expect(await zone("site-2", {})).toBe("UTC");
    expect(await zone("site-1", { time_zone: "Europe/Berlin" })).toBe("Europe/Berlin");
    await register("site-1", { time_zone: "Asia/Seoul" });
    expect(await zone("site-1", {})).toBe("Europe/Berlin");
    expect(await zone("site-1", { time_zone: null })).toBe("Asia/Seoul");
  });

  test.each<[string, object, string]>([
    ["a value", { labels: { a: "" } }, '"labels.a": must be 1 to 63 letters'],
    ["a key", { labels: { "ü b": "x" } }, '"labels.ü b": the key of a label must be 1 to 63'],
    ["a long value", { labels: { a: "x".repeat(64) } }, '"labels.a": must be 1 to 63 letters'],
    ["a field", { label: {} }, 'Unknown field "label"'],
    ["a time zone", { time_zone: "Mars" }, '"time_zone": must be the IANA name of a time zone'],
  ])("is told what is wrong with %s, and nothing changes", async (_, body, error) => {
    const before = await call("GET", "clients");
    const answer = await change("site-1", { ...body });
    expect(answer).toMatchObject({ status: 400, body: { code: "invalid_request" } });
    expect(answer.body["error"]).toStartWith(error);
    expect((await call("GET", "clients")).body).toEqual(before.body);
  });

  test("gives a client 32 labels, and no more", async () => {
    const labels = Object.fromEntries(Array.from({ length: 32 }, (_, n) => [`k${n}`, "x"]));
    expect((await change("site-3", { labels })).status).toBe(200);
    expect(await change("site-3", { labels: { more: "x" } })).toMatchObject({ status: 400 });
    expect((await change("site-3", { labels: { more: "x", k0: null } })).status).toBe(200);
    const none = Object.fromEntries([...Object.keys(labels), "more"].map((key) => [key, null]));
    expect((await change("site-3", { labels: none })).body["labels"]).toEqual({});
    expect(await change("nobody", { labels: {} })).toMatchObject({ status: 404 });
  });

  test("lists clients by label, by connection, and in pages", async () => {
    await change("site-1", { labels: { region: "west" } });
    await change("site-2", { labels: { region: "west", closed: "yes" } });
    const gone = await register("site-9");
    await gone[Symbol.asyncDispose]();
    await waitFor(async () => (await listed("connected=false")).length === 1, "site-9 to leave");
    expect(await listed("labels=region%3Dwest")).toEqual(["site-1", "site-2"]);
    expect(await listed("labels=region%3Dwest,!closed")).toEqual(["site-1"]);
    expect(await listed("connected=true")).toEqual(["site-1", "site-2", "site-3"]);
    expect(await listed("connected=false")).toEqual(["site-9"]);
    const first = await call("GET", "clients?limit=3");
    expect(first.body["next_cursor"]).toBe("site-3");
    const second = await call("GET", "clients?limit=3&cursor=site-3");
    expect(second.body).toMatchObject({ clients: [{ client_id: "site-9" }], next_cursor: null });
    expect((await call("GET", "clients")).body).not.toHaveProperty("next_cursor");
    expect(await call("GET", "clients?labels=a%3D")).toMatchObject({
      status: 400,
      body: { error: '"labels": is wrong at character 3: expected a value, found the end' },
    });
  });

  test("makes enrolment keys that carry labels for whoever enrols", async () => {
    const order = { name: "spring", ids: "till-*", labels: { kind: "till" } };
    const made = await call("POST", "enrolment-keys", order);
    expect(made.body["record"]).toMatchObject({ labels: { kind: "till" } });
    await register("till-1", { enroll_token: made.body["enrolment_key"] as string });
    expect(await listed("labels=kind%3Dtill")).toEqual(["till-1"]);
  });
});

test("a token with labels sees what has them now, at each call and each event", async () => {
  const make = (name: string, fields: object) =>
    call("POST", "tokens", { name, role: "operator", ...fields });
  expect(await make("boss", { role: "admin", labels: "a=b" })).toMatchObject({ status: 400 });
  expect(await make("bad", { labels: "a=" })).toMatchObject({ status: 400 });
  const made = await make("east", { labels: "region=east", sites: ["site-3"] });
  expect(made.body["record"]).toMatchObject({ labels: "region=east", sites: ["site-3"] });
  const token = made.body["token"] as string;
  expect(await listed("", token)).toEqual(["site-3"]);
  const pull = () => call("POST", "download", { client_id: "site-2" }, token);
  expect(await pull()).toMatchObject({ status: 404, body: { code: "client_not_found" } });

  const headers = { Authorization: `Bearer ${token}` };
  const events = new Listener(await fetch(`${system.url}/api/events`, { headers }));
  const told = (clientId: string) =>
    events.until(({ data }) => "client_id" in data && data.client_id === clientId);
  await change("site-2", { labels: { region: "east" } });
  await told("site-2");
  expect(await listed("", token)).toEqual(["site-2", "site-3"]);
  const { status, body } = await pull();
  expect(status).toBe(202);
  const path = `downloads/${body["download_id"]}`;
  expect((await call("GET", path, undefined, token)).status).toBe(200);
  expect((await call("GET", "downloads", undefined, token)).body["downloads"]).toHaveLength(1);

  await change("site-2", { labels: { region: "west" } });
  expect((await call("GET", path, undefined, token)).status).toBe(404);
  expect((await call("GET", "downloads", undefined, token)).body["downloads"]).toHaveLength(0);
  const seen = events.heard.length;
  await call("POST", `${path}/cancel`);
  await change("site-3", { labels: { mark: "end" } });
  await events.until(({ data }) => "labels" in data && "mark" in data.labels);
  expect(JSON.stringify(events.heard.slice(seen))).not.toContain('"cancelled"');
  await events.close();
});
