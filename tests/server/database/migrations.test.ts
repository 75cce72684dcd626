import { SQL } from "bun";
import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LATEST_VERSION, migrate } from "../../../lib/server/database/migrations.ts";

test("a program that read the version just before another one migrated takes its result", async () => {
  const folder = await mkdtemp(join(tmpdir(), "fds-migrations-"));
  const filename = join(folder, "state.db");
  const early = new SQL({ adapter: "sqlite", filename });
  const late = new SQL({ adapter: "sqlite", filename });
  const overtaken = new Proxy(late, {
    get: (sql, name) =>
      name === "begin"
        ? async (work: SQL.TransactionContextCallback<unknown>) => {
            await migrate(early);
            return sql.begin(work);
          }
        : Reflect.get(sql, name),
  });

  await migrate(overtaken);

  expect(await late`SELECT version FROM schema_version`.values()).toEqual(
    Array.from({ length: LATEST_VERSION }, (_, index) => [index + 1]),
  );
  expect(await late`SELECT * FROM downloads`.values()).toEqual([]);
  await early.close();
  await late.close();
  await rm(folder, { recursive: true });
});
