import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { SqlDatabase } from "../../../lib/server/database/database.ts";
import { KeepSql } from "../../../lib/server/database/keep-sql.ts";
import { LATEST_VERSION, migrate } from "../../../lib/server/database/migrations.ts";
import { SetRowsSql } from "../../../lib/server/database/set-rows-sql.ts";
import type { Statement } from "../../../lib/server/database/statement.ts";
import { DAY_MS } from "../../../lib/server/keep.ts";
import { id } from "./samples.ts";

/*
 * Query plans of retention, from SQLite's EXPLAIN QUERY PLAN: however many downloads there are, each
 * statement has to find its rows by an index.
 */

let database: Database;
beforeAll(() => {
  database = new Database(":memory:");
  migrate(database, LATEST_VERSION);
});
afterAll(() => database.close());

/**
 * The row that every statement seems to return, so that the statements that follow from it are explained,
 * too.
 */
const SAMPLE = { id: id(1), keepGroup: "g", clientId: "site-1", downloadId: id(1), last: 10 };

/** A database that explains statements instead of running them. */
class Explaining implements SqlDatabase {
  readonly plans: string[] = [];
  readonly isAway = false;
  readonly wire = null;

  /** @param found the rows that every statement seems to return */
  constructor(private readonly found: object[] = [SAMPLE]) {}

  run<Row>({ texts, values }: Statement): Promise<Row[]> {
    const plan = database.query<{ detail: string }, (string | number | null)[]>(
      `EXPLAIN QUERY PLAN ${texts.join("?")}`,
    );
    this.plans.push(...plan.all(...values).map(({ detail }) => detail));
    return Promise.resolve(this.found as Row[]);
  }
  runDurably = <Row>(statement: Statement): Promise<Row[]> => this.run<Row>(statement);
  flush = async (): Promise<void> => undefined;
  isThere = async (): Promise<boolean> => true;
  close = async (): Promise<void> => undefined;
}

const NOW = 1_700_000_000_000;

describe("an index finds", () => {
  test.each<[string, (keep: KeepSql) => Promise<unknown>, object[]?]>([
    ["what is to be held", (keep) => keep.setHold(id(1), true)],
    ["what is to be marked", (keep) => keep.markRemoved(id(1), NOW)],
    ["what is to be marked as it is due", (keep) => keep.markDue(id(1), NOW, DAY_MS)],
    ["what is missing", (keep) => keep.markMissing(id(1), NOW)],
    ["what is being removed", (keep) => keep.removing(id(1), 10)],
    ["what is gone", (keep) => keep.bytesGone(id(1))],
    ["what pushes others out of the last ones", (keep) => keep.rank(10)],
    ["what is due by its rule", (keep) => keep.due(NOW, null, 10)],
    ["what is due by KEEP_DAYS", (keep) => keep.due(NOW, DAY_MS, 10)],
    ["what is due next", (keep) => keep.nextDueAt(DAY_MS)],
    ["what is stored of a client", (keep) => keep.stored("site-1", 10, id(1), 10)],
    ["how much is stored of a client", (keep) => keep.usedBytes("site-1")],
    ["what is due, where no rule says so", (keep) => keep.due(NOW, DAY_MS, 10), []],
  ])("%s", async (_, ask, found?: object[]) => {
    const explaining = new Explaining(found);
    // An error about the sample row is ignored, because only the plans matter.
    await ask(new KeepSql(explaining)).catch(() => undefined);
    expect(explaining.plans.join("\n")).toMatch(
      /SEARCH (downloads|newer|client_usage)|USING INDEX/,
    );
    for (const step of explaining.plans) {
      expect(step).not.toMatch(/^SCAN (?!.*USING (COVERING )?INDEX|\(subquery|ranked)/);
      expect(step).not.toMatch(/TEMP B-TREE FOR ORDER BY/);
    }
  });

  test("who shares the bytes of a set, and how many they are", async () => {
    const explaining = new Explaining();
    const rows = new SetRowsSql(explaining);
    await rows.handOver(id(1));
    expect(explaining.plans.join("\n")).toMatch(/SEARCH twin USING INDEX set_files_stored/);
    const handedOver = explaining.plans.length;
    const linked = { index: 0, status: "unchanged" as const, digest: "", readAt: 0 };
    await rows.update({ downloadId: id(1), epoch: 1 }, [linked]);
    expect(explaining.plans.slice(handedOver).join("\n")).toMatch(
      /SEARCH twin USING INDEX set_files_stored/,
    );
    for (const step of explaining.plans)
      expect(step).not.toMatch(/^SCAN (set_files|downloads|twin)/);
  });
});
