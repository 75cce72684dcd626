import { beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { AuditAction } from "../../../lib/api/audit.ts";
import { endpoints } from "../../../lib/api/endpoints.ts";
import type { Endpoint } from "../../../lib/api/endpoints/endpoint.ts";
import { type AuditEntry, type AuditRow, standingOf } from "../../../lib/server/audit/entry.ts";
import { AuditWindow } from "../../../lib/server/audit/window.ts";
import { TEST_LIMIT } from "../../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

let window: AuditWindow;
let time: number;
/** Rows that the window returned to be written at once. */
let rows: AuditRow[];

beforeEach(() => {
  [window, time, rows] = [new AuditWindow(), 1_700_000_000_000, []];
});

function record(entry: AuditEntry, times = 1): void {
  for (let n = 0; n < times; n++) {
    const row = window.record(entry, time++);
    if (row) rows.push(row);
  }
}

/** Returns all rows. The rows that count repetitions come last. */
const all = () => [...rows, ...window.take()];
const total = (found: AuditRow[]) => found.reduce((sum, { count }) => sum + count, 0);

const denied = (fields: Partial<AuditEntry>): AuditEntry => ({
  action: "denied",
  outcome: "unauthorized",
  ...fields,
});

describe("what happens again", () => {
  test("is counted, from when to when", () => {
    const start = time;
    record(denied({ address: "192.0.2.1" }), 1000);
    const found = all();
    expect(found.map(({ count }) => count)).toEqual([1, 999]);
    expect(found[1]).toMatchObject({ at: start + 1, lastAt: start + 999 });
    expect(window.take()).toEqual([]);
  });

  test("is not mixed with what is another", () => {
    for (const address of ["192.0.2.1", "192.0.2.2", "192.0.2.1"]) record(denied({ address }));
    record({ ...denied({ address: "192.0.2.1" }), outcome: "forbidden" });
    expect(all().map(({ count }) => count)).toEqual([1, 1, 1, 1]);
  });

  test("has an id by which the latest comes last", () => {
    record(denied({ address: "192.0.2.1" }), 2);
    record(denied({ address: "192.0.2.2" }));
    record(denied({ address: "192.0.2.1" }));
    record(denied({ address: "192.0.2.3" }));
    const byId = all().toSorted((a, b) => (a.auditId < b.auditId ? -1 : 1));
    expect(byId.map(({ lastAt }) => lastAt)).toEqual(byId.map(({ lastAt }) => lastAt).toSorted());
    expect(byId).toHaveLength(4);
  });
});

describe("a flood", () => {
  test("of one network is few rows of each kind, and counted", () => {
    for (let n = 0; n < 10_000; n++) {
      record(denied({ address: "192.0.2.1", target: `GET /${n}` }));
      record({
        action: "client_register",
        outcome: "key_mismatch",
        address: `2001:db8::${n % 4096}`,
        clientId: `made-up-${n}`,
      });
    }
    const found = all();
    expect(found.length).toBeLessThanOrEqual(24);
    expect(total(found)).toBe(20_000);
    expect(found.find(({ action, count }) => action === "denied" && count > 1)).toMatchObject({
      address: "192.0.2.1",
      target: null,
      count: 9989,
    });
    expect(found.map(({ address }) => address)).toContain("2001:db8:0:0::/64");
  });

  test("from everywhere, of what goes well too, is a few rows of each network, and then one", () => {
    for (let n = 0; n < 50_000; n++) {
      const address = `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`;
      record(denied({ address }));
      record({ action: "sign_out", outcome: "ok", address });
    }
    const found = all();
    expect(found).toHaveLength(204);
    expect(total(found)).toBe(100_000);
    expect(found.at(-1)).toMatchObject({ action: "sign_out", address: null, count: 49_899 });
  });

  test("of strangers hides nobody who is known", () => {
    for (let n = 0; n < 1000; n++) {
      record({
        action: "client_register",
        outcome: "enrolment_required",
        address: `10.0.${n >> 8}.${n & 255}`,
        clientId: `x-${n}`,
      });
      record(denied({ address: `10.0.${n >> 8}.${n & 255}` }));
    }
    rows = [];
    const seen: AuditEntry[] = [
      denied({ actor: "till", address: "10.0.0.1", target: "GET /api/audit" }),
      { action: "sign_in", outcome: "ok", actor: "night", address: "10.0.0.1" },
      { action: "client_register", outcome: "ok", clientId: "site-1", address: "10.0.0.1" },
    ];
    for (const entry of seen) record(entry);
    expect(rows).toMatchObject(seen);
  });

  test("of somebody who is known is few rows, all with the name", () => {
    for (let n = 0; n < 5000; n++) {
      record({
        action: "download_start",
        outcome: "client_not_found",
        actor: "till",
        address: `10.0.${n >> 8}.${n & 255}`,
        clientId: `made-up-${n}`,
        filePath: "x".repeat(4096),
      });
    }
    const found = all();
    expect(found).toHaveLength(102);
    expect(total(found)).toBe(5000);
    expect(new Set(found.map(({ actor }) => actor))).toEqual(new Set(["till"]));
    expect(found.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(100_000);
  });
});

test("what was done is always a row of its own, whoever did it and however often", () => {
  const acts: AuditEntry[] = [
    { action: "token_create", outcome: "ok", actor: "API_TOKEN", target: "till" },
    // A server without a token does not know who asked, so there is no actor.
    { action: "download_start", outcome: "ok", actor: null, downloadId: "d" },
    { action: "download_end", outcome: "file_not_found", downloadId: "d" },
  ];
  for (const act of acts) record(act, 3000);
  expect(rows).toHaveLength(9000);
  expect(new Set(rows.map(({ standing }) => standing))).toEqual(new Set(["act"]));
  expect(window.take()).toEqual([]);
});

test("a long text is cut, and both its ends are kept", () => {
  record({ action: "download_start", outcome: "ok", filePath: `/a/${"😀".repeat(2000)}/b.txt` });
  record({ action: "download_start", outcome: "ok", filePath: "x".repeat(256) });
  const [cut, whole] = rows.map(({ filePath }) => filePath ?? "");
  expect(cut).toMatch(/^\/a\/😀+�?…�?😀+\/b\.txt$/u);
  expect(cut!.length).toBeLessThanOrEqual(256);
  expect(whole).toBe("x".repeat(256));
});

/** Calls that leave nothing changed for good. */
const PASSING: ReadonlySet<AuditAction> = new Set([
  "sign_in",
  "sign_out",
  "webhook_test",
  "webhook_replay",
]);

test("each call that changes something for good is a row of its own", () => {
  for (const { method, audit: action } of Object.values<Endpoint>(endpoints)) {
    if (!action || method === "GET") continue;
    const standing = standingOf({ action, outcome: "ok", actor: "a", clientId: null });
    expect([action, standing]).toEqual([action, PASSING.has(action) ? "known" : "act"]);
  }
});
