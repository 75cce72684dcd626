import { SQL } from "bun";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Repository } from "../../lib/server/database/repository.ts";
import { openSqlRepository } from "../../lib/server/database/sql.ts";
import { type Cut, CuttingProxy } from "../support/cutting-proxy.ts";
import { emptyDatabase, NO_POSTGRES, Postgres } from "../support/postgres.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { client, completed, id, queued } from "../server/database/samples.ts";

setDefaultTimeout(TEST_LIMIT);

const NO_LIMITS = { total: 100, perClient: 100 };
const NOW = 1_700_000_000_000;

const enrolmentKey = {
  name: "spring",
  keyHash: "b".repeat(64),
  ids: "till-*",
  labels: {},
  replaces: false,
  maxUses: 2,
  uses: 0,
  createdAt: NOW,
  expiresAt: null,
  revokedAt: null,
  lastUsedAt: null,
};
const session = { tokenHash: null, begunWith: null, expiresAt: NOW + 10 };

/** Makes one change of each kind. @returns all results, which must not depend on when a connection is cut */
async function work(rows: Repository): Promise<unknown[]> {
  const answers: unknown[] = [];
  const inserted = await rows.insertDownload(queued(1));
  answers.push(inserted);
  const claimed = await rows.claimDownload("site-1", null, NO_LIMITS, NOW);
  answers.push(claimed);
  const ended = { ...completed, revision: claimed?.revision ?? 0 };
  answers.push(await rows.replaceDownload(ended, claimed ?? undefined));
  answers.push(await rows.replaceDownload(ended, claimed ?? undefined));
  answers.push(await rows.registerClient(client("site-1"), null));
  answers.push(await rows.access.insertEnrolmentKey(enrolmentKey));
  answers.push(await rows.access.useEnrolmentKey(enrolmentKey.keyHash, NOW));
  answers.push(await rows.access.insertSession({ ...session, sessionHash: "first" }, NOW, 1));
  answers.push(await rows.access.insertSession({ ...session, sessionHash: "second" }, NOW, 1));
  answers.push(await rows.access.deleteSession("second"));
  const file = { index: 0, path: "a.log", root: 0, size: 1, mtimeNs: "5", place: "a.log" };
  await rows.sets.insert({ downloadId: id(1), epoch: ended.epoch }, "site-1", [
    { ...file, error: null },
  ]);
  answers.push(await rows.sets.list(id(1), { limit: 9 }));
  answers.push(await rows.access.listEnrolmentKeys({ limit: 9 }));
  answers.push(await rows.changedSince(0, 9), await rows.listClients({ limit: 9 }));
  return answers;
}

const withoutRevision = (key: string, value: unknown) => (key === "revision" ? null : value);

describe.skipIf(NO_POSTGRES !== "")(`Postgres that is lost${NO_POSTGRES}`, () => {
  let postgres: Postgres;
  let proxy: CuttingProxy;
  let url: string;

  beforeAll(async () => {
    postgres = await Postgres.start();
    proxy = await CuttingProxy.start(postgres.port);
    url = (await postgres.makeDatabase()).replace(`:${postgres.port}/`, `:${proxy.port}/`);
  });
  afterAll(async () => {
    await proxy[Symbol.asyncDispose]();
    await postgres[Symbol.asyncDispose]();
  });

  /** Runs work() on an empty database, and cuts a connection at this point; null: at none. */
  async function answersWith(cut: Cut | null): Promise<unknown[]> {
    const rows = await openSqlRepository(url);
    await emptyDatabase(url);
    proxy.cutAt(cut);
    try {
      return await work(rows);
    } finally {
      proxy.cutAt(null);
      await rows.close();
    }
  }

  test.each(["request", "arrival", "answer"] as const)(
    "does each change once, and tells what came of it, wherever the %s is cut",
    async (at) => {
      const expected = await answersWith(null);
      // A try whose answer was lost may have used up a revision, so revisions are not compared.
      const known = (answers: unknown[]) => JSON.stringify(answers, withoutRevision);
      const rows = await openSqlRepository(url);
      await emptyDatabase(url);
      proxy.cutAt(null);
      await work(rows);
      const { up, down } = proxy.pieces;
      await rows.close();
      for (let piece = 0; piece < (at === "answer" ? down : up); piece++) {
        const answers = await answersWith({ at, piece });
        expect(known(answers), `${at} ${piece}`).toEqual(known(expected));
      }
    },
  );

  test("waits while nobody answers, and goes on", async () => {
    const rows = await openSqlRepository(url);
    await emptyDatabase(url);
    expect(await rows.isThere()).toBe(true);
    proxy.goDown();
    expect(await rows.isThere()).toBe(false);
    const before = proxy.refused;
    const writes = Array.from({ length: 500 }, (_, n) => rows.insertDownload(queued(n)));
    expect(await Promise.race([writes[0], rows.isThere()])).toBe(false);
    await waitFor(() => rows.isAway, "the rows to be missed");
    expect(proxy.refused - before, "who asks for all").toBeLessThan(100);
    proxy.comeBack();
    const revisions = (await Promise.all(writes)).map(({ revision }) => revision);
    expect(new Set(revisions).size).toBe(500);
    expect(await rows.isThere()).toBe(true);
    await rows.close();
  });

  test("makes no change again that arrives when it was long made by another try", async () => {
    const rows = await openSqlRepository(url);
    await emptyDatabase(url);
    await using admin = new SQL(postgres.urlOf(new URL(url).pathname.slice(1)), { max: 1 });
    const [old] = await admin<{ pids: number[] }[]>`
      SELECT array_agg(pid) AS pids FROM pg_stat_activity
      WHERE application_name = 'file-download-system'`;
    await rows.access.insertEnrolmentKey({ ...enrolmentKey, maxUses: 9 });
    // Prepares both statements, so that each later call is one packet: it arrives whole or not at all.
    await rows.access.useEnrolmentKey(enrolmentKey.keyHash, NOW);
    await rows.claimDownload("site-1", null, NO_LIMITS, NOW);
    proxy.goSilent();
    const trying = [
      rows.access.useEnrolmentKey(enrolmentKey.keyHash, NOW),
      rows.claimDownload("site-1", null, NO_LIMITS, NOW),
    ];
    await waitFor(() => rows.isAway, "the first tries to be given up");
    proxy.speakAgain();
    const [used, claimed] = await Promise.all(trying);
    expect(used).not.toBeNull();
    expect(claimed).toBeNull();
    // Makes so many changes that the rows about the earlier ones in `made_changes` are removed.
    for (let n = 0; n < 12; n++) {
      const some = Array.from({ length: 50 }, (_, i) => rows.insertDownload(queued(n * 50 + i)));
      await Promise.all(some);
    }
    const marks = async () => (await admin`SELECT number FROM made_changes`).length;
    await waitFor(async () => (await marks()) < 200, "the marks to be removed");
    proxy.arriveLate();
    await waitFor(async () => {
      const there = await admin`
        SELECT pid FROM pg_stat_activity WHERE pid = ANY(${admin.array(old?.pids ?? [], "INT")})`;
      return there.length === 0;
    }, "the first connections to end");
    expect(await rows.access.listEnrolmentKeys({ limit: 9 })).toMatchObject([{ uses: 2 }]);
    const found = await rows.changedSince(0, 1_000);
    expect(found.filter(({ status }) => status !== "queued")).toEqual([]);
    await rows.close();
  });

  test("loses nothing that was answered, and does nothing twice, when it is killed", async () => {
    const rows = await openSqlRepository(url);
    await emptyDatabase(url);
    let written = 0;
    const write = async (writer: number) => {
      for (let n = 0; n < 40; n++, written++) await rows.insertDownload(queued(writer * 100 + n));
    };
    const writing = Promise.all(Array.from({ length: 8 }, (_, writer) => write(writer)));
    for (const upTo of [40, 160]) {
      await waitFor(() => written >= upTo, "some rows to be written");
      await postgres.kill();
      await postgres.restart();
    }
    await writing;
    const found = await rows.changedSince(0, 1_000);
    expect(found).toHaveLength(320);
    expect(new Set(found.map(({ revision }) => revision)).size).toBe(320);
    await rows.close();
  });

  test("makes do with the connections that it gives", async () => {
    await using admin = new SQL(postgres.urlOf("postgres"), { max: 1 });
    await admin`CREATE ROLE poor LOGIN CONNECTION LIMIT 2`;
    const poor = (await postgres.makeDatabase()).replace("fds@", "poor@");
    await admin.unsafe(`ALTER DATABASE ${new URL(poor).pathname.slice(1)} OWNER TO poor`);
    const rows = await openSqlRepository(poor);
    await Promise.all(Array.from({ length: 60 }, (_, n) => rows.insertDownload(queued(n))));
    expect(await rows.latestRevision()).toBe(60);
    expect(rows.isAway).toBe(false);
    await rows.close();
  });

  test("is given up by who closes it meanwhile", async () => {
    const rows = await openSqlRepository(url);
    proxy.goDown();
    const read = rows.latestRevision();
    read.catch(() => undefined);
    await rows.close();
    await expect(read).rejects.toThrow();
    proxy.comeBack();
  });
});
