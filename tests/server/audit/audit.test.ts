import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import {
  Audit,
  type AuditEntry,
  type AuditFilter,
  type AuditRow,
} from "../../../lib/server/audit/audit.ts";
import { Logger } from "../../../lib/util/logger.ts";

const WINDOW_MS = 600_000;

let rows: AuditRow[];
let fault: Error | undefined;
let prunedBefore: number[];
let log: string[];
let audit: Audit;

beforeEach(() => {
  jest.useFakeTimers();
  [rows, prunedBefore, log, fault] = [[], [], [], undefined];
  audit = new Audit({
    rows: {
      async insertAudit(more) {
        if (fault) throw fault;
        rows.push(...more);
      },
      listAudit: async ({ limit }: AuditFilter) => rows.toReversed().slice(0, limit),
      deleteAuditBefore: async (at) => void prunedBefore.push(at),
    },
    keep: 1000,
    logger: new Logger({ level: "debug", format: "json", write: (line) => log.push(line) }),
  });
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

  test("outlives a database that cannot be written for a while", async () => {
    fault = new Error("the disk is full");
    audit.record(started);
    expect(await everything()).toEqual([]);
    expect(log.join("")).toContain("the audit cannot be written");
    fault = undefined;
    expect(await counts()).toEqual([1]);
  });

  test("is forgotten in time", () => {
    expect(prunedBefore).toEqual([Date.now() - 1000]);
    jest.advanceTimersByTime(3_600_000);
    expect(prunedBefore).toEqual([expect.any(Number), Date.now() - 1000]);
  });

  test("is written to its last when the server stops", async () => {
    for (let n = 0; n < 3; n++) audit.record(denied("::1"));
    await audit.close();
    expect(rows.map(({ count }) => count)).toEqual([1, 2]);
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

  test("is not mixed with what is another", async () => {
    for (const address of ["::1", "::2", "::1"]) audit.record(denied(address));
    audit.record({ ...denied("::1"), outcome: "unauthorized" });
    expect(await counts()).toEqual([1, 1, 1, 1]);
  });

  test("from everywhere is counted together: a flood fills no disk", async () => {
    for (let n = 0; n < 100_000; n++) audit.record(denied(`address ${n}`));
    const found = await everything();
    expect(found).toHaveLength(102);
    expect(found.reduce((sum, { count }) => sum + count, 0)).toBe(100_000);
    expect(found[0]).toMatchObject({ address: null, count: 99_899 });
    // What goes well is never hidden by it.
    audit.record({ action: "sign_in", outcome: "ok", actor: "till", address: "::9" });
    expect((await everything())[0]).toMatchObject({ actor: "till", address: "::9", count: 1 });
  });
});
