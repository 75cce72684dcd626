import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, mock, spyOn, test } from "bun:test";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqlRepository } from "../../../lib/server/database/sql.ts";
import { WriteAheadLog } from "../../../lib/server/database/write-ahead-log.ts";
import { queued } from "./samples.ts";

let folder: string;
/** Error codes of the next flushes, in order. When none is left, flushes succeed. */
let errors: string[];
let flushes: number;

beforeEach(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), "fds-log-"));
  errors = [];
  flushes = 0;
  const { open } = fs;
  spyOn(fs, "open").mockImplementation(async (path, ...rest) => {
    const file = await open(path, ...rest);
    if (!String(path).endsWith("-wal")) return file;
    const datasync = file.datasync.bind(file);
    file.datasync = async () => {
      flushes++;
      const code = errors.shift();
      if (code !== undefined)
        throw Object.assign(new Error(`${code}: it failed`), { code, errno: -5 });
      await datasync();
    };
    return file;
  });
});
afterEach(async () => {
  mock.restore();
  await fs.rm(folder, { recursive: true });
});

async function openLog(empty: () => void): Promise<WriteAheadLog> {
  const path = join(folder, "state.db-wal");
  await fs.writeFile(path, "");
  return WriteAheadLog.open(path, empty);
}

const FAILED = "cannot flush the log of the database: EIO";

test("whoever waits is told of an error, and the log is not flushed again but emptied", async () => {
  const empty = mock();
  const log = await openLog(empty);
  errors = ["EIO"];
  await expect(log.flush()).rejects.toThrow(FAILED);
  expect(empty).not.toHaveBeenCalled();
  await log.flush();
  expect([empty.mock.calls.length, flushes]).toEqual([1, 1]);
  // Once emptied, the log is flushed as before.
  await log.flush();
  expect([empty.mock.calls.length, flushes]).toEqual([1, 2]);
  await log.close();
});

test("as long as it cannot be emptied, nothing is called safe", async () => {
  const empty = mock(() => {
    throw new Error("the log is in use");
  });
  const log = await openLog(empty);
  errors = ["EIO"];
  await expect(log.flush()).rejects.toThrow(FAILED);
  await expect(log.flush()).rejects.toThrow("the log is in use");
  await expect(log.flush()).rejects.toThrow("the log is in use");
  empty.mockImplementation(() => undefined as never);
  await log.flush();
  expect(flushes).toBe(1);
  await log.close();
});

test("what was written when the log could not be flushed gets to the database itself", async () => {
  const path = join(folder, "state.db");
  const rows = await openSqlRepository(`sqlite://${path}`);
  errors = ["EIO"];
  await expect(rows.insertDownload(queued(1))).rejects.toThrow(FAILED);
  await rows.insertDownload(queued(2));
  // Copies the database without its log, whose pages may never have reached the disk.
  await fs.copyFile(path, join(folder, "copy.db"));
  using copy = new Database(join(folder, "copy.db"));
  copy.run("PRAGMA journal_mode = DELETE");
  const ids = copy.query("SELECT download_id FROM downloads ORDER BY download_id").values();
  expect(ids).toEqual([[queued(1).downloadId], [queued(2).downloadId]]);
  await rows.close();
});

test("those who write at once share a flush", async () => {
  const rows = await openSqlRepository(`sqlite://${join(folder, "state.db")}`);
  await Promise.all(Array.from({ length: 20 }, (_, n) => rows.insertDownload(queued(n))));
  // One flush for the first change, and one for all changes that came while it ran.
  expect(flushes).toBe(2);
  await rows.close();
});
