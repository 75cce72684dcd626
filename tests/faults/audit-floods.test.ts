import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { Database } from "bun:sqlite";
import type { AuditRecord } from "../../lib/api/audit.ts";
import { REGISTER, ScriptedClient } from "../support/scripted-client.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Floods of audited events: calls that anybody can make, however often, must not fill the disk, and must not
 * push out records of known callers.
 */

let system: System;

beforeAll(async () => {
  system = await System.start({
    AUDIT_MAX_SIZE: "1MiB",
    TRUSTED_PROXIES: "127.0.0.0/8",
    REQUEST_RATE: "100000",
  });
});
afterAll(() => system?.[Symbol.asyncDispose]());

/** Returns the number of audit rows in the database that match an SQL condition, and their size in bytes. */
function rows(where: string): { count: number; bytes: number } {
  using database = new Database(system.databaseFile, { readonly: true });
  const query = `SELECT COUNT(*) AS count, COALESCE(SUM(bytes), 0) AS bytes FROM audit WHERE ${where}`;
  return database.query<{ count: number; bytes: number }, []>(query).get()!;
}

async function records(query: Record<string, string>): Promise<AuditRecord[]> {
  return (await system.api.audit({ limit: "1000", ...query })).records;
}

const total = (found: AuditRecord[]) => found.reduce((sum, { count }) => sum + count, 0);

/** Makes this many calls, 16 at a time. */
async function flood(calls: number, call: (n: number) => Promise<Response>): Promise<void> {
  let next = 0;
  const lane = async () => {
    for (let n = next++; n < calls; n = next++) await (await call(n)).arrayBuffer();
  };
  await Promise.all(Array.from({ length: 16 }, lane));
}

const from = (n: number) => ({ "X-Forwarded-For": `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}` });

test("sign-outs of nobody, from everywhere, are few rows", async () => {
  await flood(3000, (n) =>
    fetch(`${system.url}/api/session`, { method: "DELETE", headers: from(n) }),
  );
  const found = await records({ action: "sign_out" });
  expect(found.length).toBeLessThan(110);
  expect(total(found)).toBe(3000);
});

test("downloads that are refused are few rows, with short texts and whose they were", async () => {
  const { token } = await system.api.createToken({ name: "till", role: "operator" });
  const headers = { Authorization: `Bearer ${token}` };
  await flood(3000, (n) => {
    const body = JSON.stringify({ client_id: `no-${n}`, file_path: `${n}${"x".repeat(4000)}` });
    return fetch(`${system.url}/api/download`, { method: "POST", headers, body });
  });
  const found = await records({ action: "download_start" });
  expect(found.length).toBeLessThan(110);
  expect(total(found)).toBe(3000);
  expect(new Set(found.map(({ actor }) => actor))).toEqual(new Set(["till"]));
  expect(rows("action = 'download_start'").bytes).toBeLessThan(100_000);
});

test("registrations that are refused hide no denial of a token that is known", async () => {
  for (let n = 0; n < 110; n++) {
    await using client = await ScriptedClient.connect(system.url);
    client.send({ ...REGISTER, client_id: `made-up-${n}`, enroll_token: "a-wrong-one" });
    await client.closed;
  }
  await flood(300, (n) => fetch(`${system.url}/api/clients`, { headers: from(n) }));
  const { token } = await system.api.createToken({ name: "eye", role: "viewer" });
  const headers = { Authorization: `Bearer ${token}`, ...from(77) };
  expect((await fetch(`${system.url}/api/tokens`, { headers })).status).toBe(403);
  expect(await records({ action: "denied", actor: "eye" })).toMatchObject([
    { outcome: "forbidden", address: "10.0.0.77", target: "GET /api/tokens", count: 1 },
  ]);
  const refused = await records({ action: "client_register" });
  expect(refused.length).toBeLessThan(15);
  expect(total(refused)).toBe(110);
});
