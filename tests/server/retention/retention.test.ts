import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FdsError } from "../../../lib/protocol/errors.ts";
import type { AuditEntry } from "../../../lib/server/audit/entry.ts";
import type { Repository } from "../../../lib/server/database/repository.ts";
import { openSqlRepository } from "../../../lib/server/database/sql.ts";
import type { Completed } from "../../../lib/server/download.ts";
import { DAY_MS } from "../../../lib/server/keep.ts";
import { Metrics } from "../../../lib/server/metrics/metrics.ts";
import { Retention } from "../../../lib/server/retention/retention.ts";
import { Logger } from "../../../lib/util/logger.ts";
import { MemoryStorage } from "../../support/memory-storage.ts";
import { NO_POSTGRES, Postgres } from "../../support/postgres.ts";
import { TEST_LIMIT, waitFor } from "../../support/wait.ts";
import { completed, id, queued } from "../database/samples.ts";

setDefaultTimeout(TEST_LIMIT);

let folder: string;
let storage: MemoryStorage;
let rows: Repository;
let running: Retention[];
let audited: AuditEntry[];
let log: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-retention-"));
  rows = await open();
  storage = new MemoryStorage();
  [running, audited, log] = [[], [], []];
});
afterEach(async () => {
  for (const each of running) await each.stop();
  await rows.close();
  await rm(folder, { recursive: true });
});

const open = () => openSqlRepository(`sqlite://${folder}/state.db`);

/** Expects that several servers together remove and record each file exactly once. */
async function expectRemovedOnce(openAgain: () => Promise<Repository>): Promise<void> {
  const all = Array.from({ length: 30 }, (_, n) => n + 1);
  for (const n of all) await put(n, 3);
  const others = await openAgain();
  try {
    for (const each of [begin(), begin(others), begin(), begin(others)]) each.start();
    await isGone(...all.map((n) => `site-1/${n}`));
    for (const each of running) await each.stop();
    const about = audited.map(({ downloadId }) => downloadId ?? "");
    expect(about.toSorted()).toEqual(all.map(id));
  } finally {
    await others.close();
  }
}

/** Creates the retention of another server, which keeps files for one day. */
function begin(repository = rows): Retention {
  const retention = new Retention({
    repository,
    storage,
    keepDays: 1,
    metrics: new Metrics(),
    audit: { record: (entry) => void audited.push(entry) },
    onChange: () => undefined,
    logger: new Logger({ level: "info", format: "json", write: (line) => log.push(line) }),
  });
  running.push(retention);
  return retention;
}

/** Stores a completed download from some days ago. @returns the path of its file */
async function put(n: number, daysAgo: number, clientId = "site-1"): Promise<string> {
  const waiting = await rows.insertDownload({ ...queued(n), clientId });
  const savedPath = `${clientId}/${n}`;
  const completedAt = Date.now() - daysAgo * DAY_MS;
  const next = { ...completed, downloadId: id(n), clientId, storedBytes: 10, checksum: "md5" };
  await rows.replaceDownload(
    { ...next, savedPath, completedAt, revision: waiting.revision } as Completed,
    waiting,
  );
  storage.files.set(savedPath, new Uint8Array(10));
  return id(n);
}

const isRemoved = async (n: number) =>
  ((await rows.getDownload(id(n))) as Completed).removedAt !== null;
const paths = () => [...storage.files.keys()].toSorted();
const isGone = (...gone: string[]) =>
  waitFor(() => gone.every((path) => !storage.files.has(path)), `${gone.join()} to go`);

/** Makes the storage fail to remove these paths. */
function refuse(...refused: string[]): void {
  const { unpublish } = storage;
  storage.unpublish = async (path) => {
    if (refused.includes(path)) throw new FdsError("storage_error", `cannot remove "${path}"`);
    await unpublish(path);
  };
}

describe("the loop", () => {
  test("removes what is due, and sleeps until something else is", async () => {
    await put(1, 2);
    await put(2, 0.5);
    await put(3, 1.5);
    const retention = begin();
    retention.start();
    await isGone("site-1/1", "site-1/3");
    expect(paths()).toEqual(["site-1/2"]);
    await retention.stop();
    expect(audited).toMatchObject([
      { action: "content_remove", target: "retention", downloadId: id(1), outcome: "ok" },
      { action: "content_remove", target: "retention", downloadId: id(3), outcome: "ok" },
    ]);
  });

  test("looks again when something may be due: what is released", async () => {
    await put(1, 2);
    await rows.keep.setHold(id(1), true);
    await put(2, 2);
    const retention = begin();
    retention.start();
    await isGone("site-1/2");
    await rows.keep.setHold(id(1), false);
    retention.wake();
    await isGone("site-1/1");
  });

  test("is not held up by what cannot be removed, which the next start removes", async () => {
    for (const n of [1, 2, 3]) await put(n, 5 - n);
    refuse("site-1/1");
    const retention = begin();
    retention.start();
    await isGone("site-1/2", "site-1/3");
    await retention.stop();
    expect(await isRemoved(1)).toBe(true);
    expect(paths()).toEqual(["site-1/1"]);
    expect(log.join()).toContain('cannot remove \\"site-1/1\\"');
    expect(audited).toHaveLength(2);
    storage.unpublish = async (path) => void storage.files.delete(path);
    begin().start();
    await isGone("site-1/1");
    await waitFor(() => audited.length === 3, "the third one to be recorded");
  });

  test("gives up for a while where nothing can be removed: no more rows are marked", async () => {
    const all = Array.from({ length: 40 }, (_, n) => n + 1);
    for (const n of all) await put(n, 5);
    refuse(...all.map((n) => `site-1/${n}`));
    const retention = begin();
    retention.start();
    await waitFor(() => log.length >= 10, "it to fail");
    await retention.stop();
    const marked = await Promise.all(all.map(isRemoved));
    expect(marked.filter(Boolean)).toHaveLength(10);
  });

  test("of several servers removes each download once", () => expectRemovedOnce(open));

  test.skipIf(NO_POSTGRES !== "")(
    `of several servers on Postgres removes each download once${NO_POSTGRES}`,
    async () => {
      await using postgres = await Postgres.start();
      const url = await postgres.makeDatabase();
      const onSqlite = rows;
      rows = await openSqlRepository(url);
      try {
        await expectRemovedOnce(() => openSqlRepository(url));
      } finally {
        await rows.close();
        rows = onSqlite;
      }
    },
  );
});

describe("a removal that is asked for", () => {
  test("is done when it is answered, and once", async () => {
    await put(1, 0);
    const retention = begin();
    const [one, other] = await Promise.all([retention.remove(id(1)), retention.remove(id(1))]);
    expect([one, other]).toMatchObject([{ status: "completed" }, { status: "completed" }]);
    expect(paths()).toEqual([]);
    expect(await rows.keep.removing("", 9)).toEqual([]);
  });

  test("leaves alone what somebody put there again", async () => {
    await put(1, 0);
    const retention = begin();
    await retention.remove(id(1));
    storage.files.set("site-1/1", new Uint8Array(3));
    await retention.remove(id(1));
    expect(paths()).toEqual(["site-1/1"]);
  });

  test("tells why where the storage refuses, and is finished later", async () => {
    await put(1, 0);
    refuse("site-1/1");
    const retention = begin();
    await expect(retention.remove(id(1))).rejects.toMatchObject({ code: "storage_error" });
    expect(await isRemoved(1)).toBe(true);
    expect(await rows.keep.removing("", 9)).toHaveLength(1);
  });
});

describe("what is missing", () => {
  test("is noticed of one client, or of all", async () => {
    await put(1, 0);
    await put(2, 0, "site-2");
    await put(3, 0, "site-2");
    storage.files.delete("site-1/1");
    storage.files.delete("site-2/2");
    const retention = begin();
    expect(await retention.noticeMissing("site-2")).toBe(1);
    expect([await isRemoved(1), await isRemoved(2), await isRemoved(3)]).toEqual([
      false,
      true,
      false,
    ]);
    expect(await retention.noticeMissing(null)).toBe(1);
    expect(await isRemoved(1)).toBe(true);
    expect(await rows.keep.usedBytes()).toBe(10);
    expect(audited.map(({ target }) => target)).toEqual(["removed by hand", "removed by hand"]);
  });

  test("is marked, and nothing is removed: it may only seem to be gone", async () => {
    await put(1, 0);
    const { namesOf } = storage;
    storage.namesOf = async () => new Set();
    const retention = begin();
    expect(await retention.noticeMissing("site-1")).toBe(1);
    storage.namesOf = namesOf;
    retention.start();
    await retention.stop();
    expect(paths()).toEqual(["site-1/1"]);
  });

  test("is not looked for again at once", async () => {
    await put(1, 0);
    const retention = begin();
    expect(await retention.noticeMissing("site-1")).toBe(0);
    storage.files.clear();
    expect(await retention.noticeMissing("site-1")).toBe(0);
    expect(await isRemoved(1)).toBe(false);
  });

  test("is nothing where the storage cannot be looked at", async () => {
    await put(1, 0);
    storage.namesOf = () => Promise.reject(new FdsError("storage_error", "it is away"));
    const noticing = begin().noticeMissing("site-1");
    await expect(noticing).rejects.toMatchObject({ code: "storage_error" });
    expect(await isRemoved(1)).toBe(false);
  });
});
