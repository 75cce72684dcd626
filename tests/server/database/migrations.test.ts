import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LATEST_VERSION, migrate } from "../../../lib/server/database/migrations.ts";

test("a program that read the version just before another one migrated takes its result", async () => {
  const folder = await mkdtemp(join(tmpdir(), "fds-migrations-"));
  const filename = join(folder, "state.db");
  const early = new Database(filename);
  const late = new Database(filename);
  const overtaken = new Proxy(late, {
    get: (database, name) => {
      const found = Reflect.get(database, name);
      if (name === "transaction") migrate(early);
      return typeof found === "function" ? found.bind(database) : found;
    },
  });

  migrate(overtaken);

  expect(late.query("SELECT version FROM schema_version").values()).toEqual(
    Array.from({ length: LATEST_VERSION }, (_, index) => [index + 1]),
  );
  expect(late.query("SELECT * FROM downloads").values()).toEqual([]);
  early.close();
  late.close();
  await rm(folder, { recursive: true });
});
