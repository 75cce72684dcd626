import { SQL } from "bun";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { lookAtDatabase } from "../../../lib/server/database/look.ts";
import { LATEST_VERSION } from "../../../lib/server/database/migrations.ts";
import { PostgresPool } from "../../../lib/server/database/postgres-pool.ts";
import { openSqlRepository } from "../../../lib/server/database/sql.ts";
import {
  type Databases,
  emptyDatabase,
  NO_DATABASES,
  startDatabases,
} from "../../support/postgres.ts";
import { TEST_LIMIT } from "../../support/wait.ts";
import { everyContract } from "./contracts.ts";
import { queued } from "./samples.ts";

setDefaultTimeout(TEST_LIMIT);

describe.skipIf(NO_DATABASES !== "")(`Postgres${NO_DATABASES}`, () => {
  let postgres: Databases;

  beforeAll(async () => {
    postgres = await startDatabases();
  });
  afterAll(() => postgres[Symbol.asyncDispose]());

  let database: Promise<string> | undefined;
  const makeBackend = async () => {
    const url = await (database ??= postgres.makeDatabase());
    return { open: () => openSqlRepository(url), remove: () => emptyDatabase(url) };
  };

  everyContract("Postgres", makeBackend);

  test("is brought to its version once by servers that start at the same time", async () => {
    const url = await postgres.makeDatabase();
    const started = await Promise.all(Array.from({ length: 4 }, () => openSqlRepository(url)));
    for (const [n, rows] of started.entries()) await rows.insertDownload(queued(n));
    expect(await started[0]!.latestRevision()).toBe(4);
    for (const rows of started) await rows.close();
    const again = await openSqlRepository(url);
    expect(await again.listDownloads({ limit: 9 })).toHaveLength(4);
    await again.close();
  });

  test("is refused where a newer program made it, with both versions", async () => {
    const url = await postgres.makeDatabase();
    await (await openSqlRepository(url)).close();
    await using sql = new SQL(url, { max: 1 });
    await sql`INSERT INTO schema_version VALUES (${LATEST_VERSION + 7}, 0)`;
    await expect(openSqlRepository(url)).rejects.toThrow(
      `start the newer program that made it, it has version ${LATEST_VERSION + 7} and this program knows up to version ${LATEST_VERSION}`,
    );
  });

  test("is used on by servers of the version before, while an upgrade lasts", async () => {
    const url = await postgres.makeDatabase();
    const running = await openSqlRepository(url);
    await running.insertDownload(queued(0));
    await running.listDownloads({ limit: 9 });
    await using sql = new SQL(url, { max: 1 });
    // Changes the schema as a migration of the next version would.
    await sql`ALTER TABLE downloads ADD COLUMN of_tomorrow TEXT`;
    await sql`INSERT INTO schema_version VALUES (${LATEST_VERSION + 1}, 0, ${LATEST_VERSION})`;
    const started = await openSqlRepository(url);
    for (const [n, rows] of [running, started].entries()) {
      await rows.insertDownload(queued(n + 1));
      expect(await rows.listDownloads({ limit: 9 })).toHaveLength(n + 2);
      await rows.close();
    }
    expect(await lookAtDatabase(url)).toMatchObject({ version: LATEST_VERSION + 1 });
    const [{ usable_from }] = await sql`
      SELECT usable_from FROM schema_version WHERE version = ${LATEST_VERSION}`;
    expect(Number(usable_from)).toBe(LATEST_VERSION - 1);
  });

  test("is named without its password where it cannot be used", async () => {
    const nobody = `postgres://fds:secret@127.0.0.1:1/fds`;
    const refused = new URL(await postgres.makeDatabase());
    refused.pathname = "no_such";
    for (const [url, why] of [
      [nobody, "Failed to connect"],
      [refused.href, 'database "no_such" does not exist'],
    ] as const) {
      const shown = url.replace(/\/\/.*@/, "//");
      await expect(openSqlRepository(url)).rejects.toThrow(
        `cannot open the database "${shown}": ${why}`,
      );
    }
  });

  test("is not made to keep more and more statements", async () => {
    const pool = new PostgresPool(await postgres.makeDatabase());
    const ask = (text: string) => pool.use((connection) => connection.query(text));
    for (let n = 0; n < 450; n++) await ask(`SELECT ${n} AS n`);
    const [kept] = await ask("SELECT COUNT(*) AS count FROM pg_prepared_statements");
    expect(Number(kept?.["count"])).toBeLessThanOrEqual(200);
    await pool.close();
  });

  test("keeps texts with what Postgres has no character for", async () => {
    const rows = await openSqlRepository(await postgres.makeDatabase());
    const { downloadId } = await rows.insertDownload({ ...queued(1), filePath: "a\0b" });
    expect((await rows.getDownload(downloadId))?.filePath).toBe("a\ufffdb");
    expect(await rows.unendedAmong(["a\0b", downloadId])).toEqual(new Set([downloadId]));
    await rows.close();
  });
});
