import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, open, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Repository } from "../../../lib/server/database/repository.ts";
import { openSqlRepository } from "../../../lib/server/database/sql.ts";
import { isRead } from "../../../lib/server/database/sqlite.ts";
import { nextRound } from "../../../lib/util/fair-turns.ts";
import { TEST_LIMIT, waitFor } from "../../support/wait.ts";
import { client } from "./samples.ts";

setDefaultTimeout(TEST_LIMIT);

let folder: string;
let rows: Repository;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-checkpoints-"));
  rows = await openSqlRepository(`sqlite://${folder}/state.db`);
  for (let n = 0; n < 50; n++) await rows.registerClient(client(`site-${n}`), null);
});
afterEach(async () => {
  await rows.close();
  await rm(folder, { recursive: true });
});

const at = async (name: string) => stat(join(folder, name));

/** Makes changes that do not wait for a flush of the log. Flushes would take most of the time. */
async function change(count: number, now: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    await rows.clientsSeen(new Map([[`site-${n % 50}`, now + n]]));
    // Lets the event loop do other work, as in a real server.
    if (n % 20 === 0) await nextRound();
  }
}

test("the log is moved to the database now and then, and changes made meanwhile are there", async () => {
  const { mtimeMs } = await at("state.db");
  const now = Date.now() + 1_000_000;
  await change(600, now);
  await waitFor(async () => (await at("state.db")).mtimeMs > mtimeMs, "the log to be moved");
  await change(100, now + 1_000);
  const seen = (await rows.listClients({ limit: 100 })).map(({ lastSeenAt }) => lastSeenAt);
  expect(Math.min(...seen)).toBe(now + 1_050);
});

/** Returns how often SQLite has restarted its log: bytes 12 to 15 of the log's header. */
const beginnings = async () =>
  (
    await open(join(folder, "state.db-wal")).then(async (file) => {
      const { buffer } = await file.read(Buffer.alloc(16), 0, 16, 0);
      await file.close();
      return buffer;
    })
  ).readUInt32BE(12);

test("the log begins anew while changes go on, so that it does not grow for ever", async () => {
  const before = await beginnings();
  let now = Date.now() + 1_000_000;
  await waitFor(async () => {
    await change(200, (now += 1_000));
    return (await beginnings()) >= before + 3;
  }, "the log to begin anew three times");
});

test.each([
  ["SELECT updated_at FROM clients", true],
  ["\n  WITH one AS (SELECT 1 AS deleted) SELECT * FROM one", true],
  ["INSERT INTO clients SELECT * FROM others", false],
  ["WITH gone AS (SELECT 1) DELETE FROM clients WHERE id IN gone", false],
  ["\n  WITH one AS (SELECT 1)\n  UPDATE clients SET name = one", false],
])("%j only reads, and waits for no checkpoint: %p", (text, expected) => {
  expect(isRead(text)).toBe(expected);
});
