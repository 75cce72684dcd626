import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LATEST_VERSION, migrate } from "../../../lib/server/database/migrations.ts";

test("sessions stay with the tokens that they were begun with", () => {
  const database = new Database(":memory:");
  migrate(database, 9);
  database.run(`INSERT INTO api_tokens (name, token_hash, role, created_at)
    VALUES ('night', 'hash-of-night', 'viewer', 0)`);
  database.run(`INSERT INTO sessions VALUES
    ('of-night', 'night', 1), ('of-admin', NULL, 2), ('of-nobody', 'gone', 3)`);
  migrate(database);
  const columns = "session_hash, token_hash, begun_with, expires_at";
  const rows = database.query(`SELECT ${columns} FROM sessions ORDER BY expires_at`).all();
  expect(rows).toEqual([
    { session_hash: "of-night", token_hash: "hash-of-night", begun_with: null, expires_at: 1 },
    { session_hash: "of-admin", token_hash: null, begun_with: null, expires_at: 2 },
  ]);
  database.close();
});

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
