import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import { Audit, type AuditFilter } from "../../../lib/server/audit/audit.ts";
import type { AuditEntry, AuditRow, Standing } from "../../../lib/server/audit/entry.ts";
import { Logger } from "../../../lib/util/logger.ts";

const WINDOW_MS = 600_000;
const KEEP_MS = 100 * 86_400_000;
const MAX_SIZE = 100_000;

let rows: AuditRow[];
let fault: Error | undefined;
let log: string[];
let audit: Audit;

const sizeOf = (standing: Standing) =>
  rows.reduce((sum, row) => sum + (row.standing === standing ? row.bytes : 0), 0);

function open(): Audit {
  return new Audit({
    rows: {
      async insertAudit(more) {
        if (fault) throw fault;
        rows.push(...more);
      },
      listAudit: async ({ limit }: AuditFilter) => rows.toReversed().slice(0, limit),
      auditSizes: async () => ({
        act: sizeOf("act"),
        known: sizeOf("known"),
        stranger: sizeOf("stranger"),
      }),
      async removeAudit(which) {
        const removed = rows
          .filter((row) =>
            "before" in which ? row.lastAt < which.before : row.standing === which.standing,
          )
          .slice(0, 2);
        rows = rows.filter((row) => !removed.includes(row));
        return removed;
      },
    },
    keep: KEEP_MS,
    maxSize: MAX_SIZE,
    logger: new Logger({ level: "debug", format: "json", write: (line) => log.push(line) }),
  });
}

beforeEach(() => {
  jest.useFakeTimers();
  [rows, log, fault] = [[], [], undefined];
  audit = open();
});
afterEach(async () => {
  await audit.close();
  expect(jest.getTimerCount(), "timers that are left").toBe(0);
  jest.useRealTimers();
});

const started: AuditEntry = { action: "download_start", outcome: "ok", actor: "till" };
const denied = (address: string): AuditEntry => ({
  action: "denied",
  outcome: "forbidden",
  address,
});
const everything = () => audit.list({ limit: 1e6 });
const counts = async () => (await everything()).map(({ count }) => count).toReversed();

/** Lets pending promises settle, without advancing the fake clock. */
const settled = async () => {
  for (let n = 0; n < 2000; n++) await Promise.resolve();
};

describe("what happens", () => {
  test("is written soon, with what happens at the same time", async () => {
    audit.record(started);
    audit.record(started);
    expect(rows).toEqual([]);
    jest.advanceTimersByTime(50);
    await audit.list({ limit: 1 });
    expect(rows).toMatchObject([
      { ...started, address: null, clientId: null, count: 1 },
      { ...started, count: 1 },
    ]);
    expect(rows[0]!.auditId < rows[1]!.auditId).toBe(true);
  });

  test("is in every list that is asked for after it", async () => {
    audit.record(started);
    expect(await everything()).toMatchObject([started]);
  });

  test("is written to its last when the server stops", async () => {
    for (let n = 0; n < 3; n++) audit.record(denied("::1"));
    await audit.close();
    expect(rows.map(({ count }) => count)).toEqual([1, 2]);
  });

  test("outlives a database that cannot be written for a while", async () => {
    fault = new Error("the disk is full");
    audit.record(started);
    expect(await everything()).toEqual([]);
    expect(log.join("")).toContain("the audit cannot be written");
    fault = undefined;
    expect(await counts()).toEqual([1]);
  });

  test("outlives it also where strangers made more of it than waits", async () => {
    fault = new Error("the disk is full");
    audit.record(started);
    await audit.list({ limit: 1 });
    for (let window = 0; window < 120; window++) {
      for (let n = 0; n < 100; n++) audit.record(denied(`192.0.2.${n}`));
      jest.advanceTimersByTime(WINDOW_MS);
      await audit.list({ limit: 1 });
    }
    fault = undefined;
    const found = await everything();
    expect(found).toHaveLength(10_000);
    expect(found).toContainEqual(expect.objectContaining(started));
  });
});

describe("what happens again and again", () => {
  test("is counted, and told of at the end of its time", async () => {
    for (let n = 0; n < 1000; n++) audit.record(denied("::1"));
    jest.advanceTimersByTime(50);
    jest.advanceTimersByTime(WINDOW_MS);
    audit.record(denied("::1"));
    expect(await counts()).toEqual([1, 999, 1]);
  });

  test("is told of once, however often it is looked at", async () => {
    for (let n = 0; n < 3; n++) audit.record(denied("::1"));
    expect(await counts()).toEqual([1, 2]);
    expect(await counts()).toEqual([1, 2]);
    audit.record(denied("::1"));
    expect(await counts()).toEqual([1, 2, 1]);
  });
});

describe("the audit", () => {
  test("forgets what is old, now and then", async () => {
    for (const actor of ["till", "night"]) audit.record({ ...started, actor });
    await everything();
    rows[0]!.lastAt -= KEEP_MS + 1;
    jest.advanceTimersByTime(3_600_000);
    await settled();
    expect(rows).toMatchObject([{ actor: "night" }]);
  });

  test("has a size: the oldest goes first, and a flood pushes out nothing of others", async () => {
    const flood = async (entry: (n: number) => AuditEntry) => {
      for (let n = 0; n < 1000; n++) {
        audit.record(entry(n));
        if (n % 100 === 0) jest.advanceTimersByTime(WINDOW_MS);
      }
      await everything();
      await settled();
    };
    const act = (n: number): AuditEntry => ({ ...started, downloadId: `d-${n}` });
    for (let n = 0; n < 10; n++) audit.record(act(n));
    for (let n = 0; n < 10; n++)
      audit.record({ action: "sign_in", outcome: "ok", actor: `a-${n}` });
    await flood((n) => denied(`192.0.${n >> 8}.${n & 255}`));
    const known = () => rows.filter(({ standing }) => standing === "known");
    expect(rows.filter(({ standing }) => standing === "act")).toHaveLength(10);
    expect(known()).toHaveLength(10);
    expect(sizeOf("stranger")).toBeWithin(MAX_SIZE / 5, MAX_SIZE / 4 + 1);
    await flood((n) => act(n));
    expect(known()).toHaveLength(10);
    expect(sizeOf("act")).toBeWithin(MAX_SIZE / 3, MAX_SIZE / 2 + 1);
    expect(rows.at(-1)).toMatchObject({ downloadId: "d-999" });
    await audit.close();
    // A restarted audit counts the rows that are already stored.
    audit = open();
    audit.record(act(1000));
    await everything();
    await settled();
    expect(sizeOf("act")).toBeLessThanOrEqual(MAX_SIZE / 2);
  });
});
