import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { LATEST_VERSION, migrate } from "../../../lib/server/database/migrations.ts";
import { openSqlRepository } from "../../../lib/server/database/sql.ts";
import { UsageError } from "../../../lib/util/flags.ts";
import { TEST_LIMIT } from "../../support/wait.ts";
import { everyContract } from "./contracts.ts";
import { completed, id, queued } from "./samples.ts";

// Contract tests with thousands of rows are slow while other tests run.
setDefaultTimeout(TEST_LIMIT);

const ALL_VERSIONS = Array.from({ length: LATEST_VERSION }, (_, index) => [index + 1]);

const makeFolder = () => mkdtemp(join(tmpdir(), "fds-rows-"));

const makeBackend = async () => {
  const folder = await makeFolder();
  return {
    open: () => openSqlRepository(`sqlite://${folder}/state.db`),
    remove: () => rm(folder, { recursive: true }),
  };
};

everyContract("SQLite", makeBackend);

describe("openSqlRepository", () => {
  let folder: string;
  let path: string;
  let url: string;

  beforeEach(async () => {
    folder = await makeFolder();
    path = join(folder, "state.db");
    url = `sqlite://${path}`;
  });
  afterEach(() => rm(folder, { recursive: true }));

  /** Makes an intact database with some rows, and closes it. */
  async function makeDatabase(): Promise<void> {
    const rows = await openSqlRepository(url);
    for (let n = 0; n < 40; n++) await rows.insertDownload(queued(n));
    await rows.close();
  }

  /** Changes the database file over a connection of its own. */
  function tamper(statement: string): void {
    using database = new Database(path);
    database.run(statement);
  }

  function versions(): unknown {
    using database = new Database(path, { readonly: true });
    return database.query("SELECT version FROM schema_version").values();
  }

  test.skipIf(process.platform === "win32")(
    "makes the folder and the files for their owner alone",
    async () => {
      path = join(folder, "deep", "er", "state.db");
      const rows = await openSqlRepository(`sqlite://${path}`);
      await rows.insertDownload(queued(1));
      const modes = [join(folder, "deep"), join(folder, "deep", "er"), path, `${path}-wal`].map(
        async (name) => (await stat(name)).mode & 0o777,
      );
      expect(await Promise.all(modes)).toEqual([0o700, 0o700, 0o600, 0o600]);
      await rows.close();
    },
  );

  test("takes a relative path", async () => {
    const rows = await openSqlRepository(`sqlite://${relative(process.cwd(), path)}`);
    await rows.close();
    expect(await Bun.file(path).exists()).toBe(true);
  });

  test.each([
    ["postgres:fds:secret@db/fds", '"postgres://…"'],
    ["postgres://fds:secret@db:port/fds", '"postgres://…"'],
    ["mysql:secret", '"mysql://…"'],
    ["state.db", '"state.db"'],
    ["", '""'],
    ["sqlite://", '"sqlite://"'],
    ["sqlite:state.db", '"sqlite:state.db"'],
    ["sqlite://:memory:", '"sqlite://:memory:"'],
    ["sqlite:///a?b/state.db", '"sqlite:///a?b/state.db"'],
  ])("refuses %p, and shows no password", async (databaseUrl, shown) => {
    const error = await openSqlRepository(databaseUrl).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UsageError);
    expect(String(error)).toContain(`DATABASE_URL is ${shown}, expected "sqlite://PATH"`);
    expect(String(error)).not.toContain("secret");
  });

  test("brings a new database to its version, and leaves it there", async () => {
    await makeDatabase();
    expect(versions()).toEqual(ALL_VERSIONS);
    const rows = await openSqlRepository(url);
    expect(await rows.listDownloads({ limit: 1_000 })).toHaveLength(40);
    await rows.close();
    expect(versions()).toEqual(ALL_VERSIONS);
  });

  test("numbers the changes in a database of version 1, which counted them by download", async () => {
    using old = new Database(path);
    migrate(old, 1);
    for (let n = 0; n < 40; n++) {
      old.run(`INSERT INTO downloads
        (download_id, client_id, file_path, status, created_at, attempts, epoch, restarts, failures,
          revision, not_before, safe_offset)
        VALUES ('${id(n)}', 'site-1', 'a.log', 'queued', 1, 0, 0, 0, 0, ${Number(n === 7)}, 1, 0)`);
    }
    const rows = await openSqlRepository(url);
    const changed = await rows.changedSince(0, 1_000);
    expect(changed.slice(0, -1).map((d) => d.revision)).toEqual(
      changed.slice(1).map((_, n) => n + 1),
    );
    expect(changed.at(-1)?.downloadId).toBe(id(7));
    expect(changed).toHaveLength(40);
    const last = changed.at(-1)?.revision ?? 0;
    expect((await rows.insertDownload(queued(41))).revision).toBe(last + 1);
    await rows.close();
  });

  test("takes what a database of version 3 had safe for what came over the wire", async () => {
    using old = new Database(path);
    migrate(old, 3);
    old.run(`INSERT INTO downloads
      (download_id, client_id, file_path, status, created_at, attempts, epoch, restarts, failures,
        revision, not_before, safe_offset)
      VALUES ('${id(7)}', 'site-1', 'a.log', 'queued', 1, 1, 1, 0, 0, 1, 1, 12)`);
    const rows = await openSqlRepository(url);
    expect(await rows.getDownload(id(7))).toMatchObject({ bytesOnWire: 12 });
    await rows.close();
  });

  /** Expects that opening fails with this message, and leaves the file unchanged. */
  async function expectRefusal(message: string): Promise<void> {
    const before = await Bun.file(path).bytes();
    const error = await openSqlRepository(url, { busyTimeoutMs: 50 }).catch(
      (reason: unknown) => reason,
    );
    expect(error).toHaveProperty("message", `cannot open the database "${path}": ${message}`);
    expect(error).toHaveProperty("cause", expect.any(Error));
    expect(Buffer.compare(await Bun.file(path).bytes(), before)).toBe(0);
  }

  test("refuses a database of a newer program, with both versions", async () => {
    await makeDatabase();
    tamper(`INSERT INTO schema_version (version, applied_at) VALUES (${LATEST_VERSION + 7}, 0)`);
    await expectRefusal(
      `start the newer program that made it, it has version ${LATEST_VERSION + 7} and this program knows up to version ${LATEST_VERSION}`,
    );
  });

  test("refuses a file that is no database", async () => {
    await Bun.write(path, "an order list, not a database\n".repeat(1_000));
    await expectRefusal("it is not a database");
  });

  test("refuses a database with a page of rubbish", async () => {
    await makeDatabase();
    const bytes = await Bun.file(path).bytes();
    await Bun.write(path, bytes.fill(0xa5, 4096 * 3, 4096 * 6));
    await expectRefusal("it is damaged");
  });

  test("refuses a database that was cut short", async () => {
    await makeDatabase();
    const bytes = await Bun.file(path).bytes();
    await Bun.write(path, bytes.subarray(0, bytes.length - 4096 * 3));
    await expectRefusal("it is damaged");
  });

  test("refuses a database that another program keeps to itself", async () => {
    await makeDatabase();
    using keeper = new Database(path);
    keeper.run("PRAGMA locking_mode = EXCLUSIVE");
    keeper.run("BEGIN EXCLUSIVE");
    await expectRefusal("it is locked by another program");
    keeper.run("ROLLBACK");
  });

  test("refuses a row that lacks what its status must have", async () => {
    await makeDatabase();
    const rows = await openSqlRepository(url);
    await rows.replaceDownload({ ...completed, downloadId: id(1), revision: 2 });
    tamper(`UPDATE downloads SET digest = NULL WHERE download_id = '${id(1)}'`);
    await expect(rows.getDownload(id(1))).rejects.toThrow(
      `the row of download "${id(1)}" is completed and has no digest`,
    );
    await rows.close();
  });
});
