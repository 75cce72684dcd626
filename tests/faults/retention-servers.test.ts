import { SQL } from "bun";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, utimes } from "node:fs/promises";
import { join } from "node:path";
import type { DownloadRecord } from "../../lib/api/schemas.ts";
import { FakeS3 } from "../support/fake-s3.ts";
import { NO_POSTGRES, Postgres } from "../support/postgres.ts";
import { Random } from "../support/random.ts";
import { settingsOf } from "../support/s3-settings.ts";
import { ServerGroup } from "../support/server-group.ts";
import { md5OfBytes, type Version, writeRandom } from "../support/sources.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { SEED } from "./seeds.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Row 48 of the fault table, with two servers on one Postgres and one storage. Each download is removed once,
 * by either server, and held ones stay. A removal that a killed server began is finished by the other one.
 */

const DAY_MS = 86_400_000;
const FILES = 8;
const SETS = 4;
const IN_A_SET = 12;
/** Modification time of the source files, old enough that `unchanged: "skip"` trusts it. */
const LONG_AGO = new Date("2020-01-01T00:00:00Z");

let postgres: Postgres;
beforeAll(async () => {
  if (NO_POSTGRES === "") postgres = await Postgres.start();
});
afterAll(() => postgres?.[Symbol.asyncDispose]());

/**
 * Two servers with KEEP_DAYS=1. Some downloads are due for removal as soon as their hold ends, others stay.
 */
class Scene implements AsyncDisposable {
  /** Downloads that are due for removal as soon as their hold ends. */
  readonly due: DownloadRecord[] = [];
  /** Downloads that are old enough for removal, but held during the whole test. */
  readonly held: DownloadRecord[] = [];
  /** A set that is not due for removal. It shares its files with a set that is. */
  later!: DownloadRecord;
  file!: Version;

  private constructor(
    readonly group: ServerGroup,
    readonly s3: FakeS3 | null,
    private readonly sql: SQL,
  ) {}

  static async set(s3: FakeS3 | null): Promise<Scene> {
    const databaseUrl = await postgres.makeDatabase();
    const env = { KEEP_DAYS: "1", LOG_LEVEL: "warn", ...(s3 && settingsOf(s3)) };
    const group = await ServerGroup.start({ count: 2, databaseUrl, env });
    const scene = new Scene(group, s3, new SQL(databaseUrl, { max: 1 }));
    try {
      await scene.#fill();
      return scene;
    } catch (error) {
      await scene[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #fill(): Promise<void> {
    const { group } = this;
    this.file = await writeRandom(group.source("a.bin"), 50_000);
    const random = new Random(SEED);
    for (let set = 0; set < SETS; set++) {
      await mkdir(group.source(`set-${set}`));
      for (let n = 0; n < IN_A_SET; n++) {
        const path = group.source(`set-${set}/${n}`);
        await writeRandom(path, random.int(0, 4_000));
        await utimes(path, LONG_AGO, LONG_AGO);
      }
    }
    await group.startClient();
    for (let n = 0; n < FILES; n++) this.due.push(await this.#pull(n, { file_path: "a.bin" }));
    for (let n = 0; n < SETS; n++) this.due.push(await this.#pull(n, { paths: [`set-${n}`] }));
    this.later = await this.#pull(0, { paths: ["set-0"], unchanged: "skip" });
    expect(this.later).toMatchObject({ files_unchanged: IN_A_SET, files_received: 0 });
    this.held.push(await this.#pull(0, { file_path: "a.bin" }));
    this.held.push(await this.#pull(1, { paths: ["set-1"] }));
    const old = [...this.due, ...this.held];
    await Promise.all(old.map((one, n) => this.#hold(n, one, true)));
    const ids = old.map(({ download_id }) => download_id);
    await this.sql`
      UPDATE downloads SET completed_at = completed_at - ${10 * DAY_MS}
      WHERE download_id IN ${this.sql(ids)}`;
  }

  async #pull(n: number, what: object): Promise<DownloadRecord> {
    const order = { client_id: "site-1", ...what };
    const { download_id } = await this.group.at(n % 2).api.startDownload(order);
    const record = await this.group.ended(download_id);
    expect(record.status).toBe("completed");
    return record;
  }

  #hold(n: number, { download_id }: DownloadRecord, hold: boolean): Promise<DownloadRecord> {
    return this.group.at(n % 2).api.change(download_id, { hold });
  }

  /** Ends the holds at both servers at the same time, so that both look for downloads to remove. */
  async release(): Promise<void> {
    await Promise.all(this.due.map((one, n) => this.#hold(n, one, false)));
  }

  /** Returns how many of the due downloads are marked as removed, and of how many the bytes are gone. */
  async removed(): Promise<{ marked: number; gone: number }> {
    const ids = this.due.map(({ download_id }) => download_id);
    const [row] = await this.sql<{ marked: string; gone: string }[]>`
      SELECT COUNT(removed_at) AS marked, SUM(bytes_gone) AS gone FROM downloads
      WHERE download_id IN ${this.sql(ids)}`;
    return { marked: Number(row?.marked), gone: Number(row?.gone) };
  }

  /**
   * Expects that each due download was removed exactly once, and nothing else.
   * @param n the server to ask, from 0
   */
  async expectRemovedOnce(n: number): Promise<void> {
    const { group, due, held, later } = this;
    await waitFor(
      async () => (await this.removed()).gone === due.length,
      "all that is due to be removed",
    );
    const kept = [later, ...held];
    const names = await this.#published();
    expect(new Set(names.map((path) => path.split("/")[1]))).toEqual(
      new Set(
        kept.flatMap(({ kind, saved_path }) => {
          const name = saved_path!.split("/")[1]!;
          return kind === "set" ? [name, `${name}.md5`] : [name];
        }),
      ),
    );
    for (const { saved_path, kind } of kept) {
      const own = names.filter((path) => path.startsWith(`${saved_path}/`));
      expect(own).toHaveLength(kind === "set" ? IN_A_SET : 0);
    }
    expect(md5OfBytes(await this.#bytesOf(held[0]!.saved_path!))).toBe(this.file.md5);
    for (const [record, isThere] of [...due, ...kept].map((one) => [one, kept.includes(one)])) {
      const now = await group.at(n).api.download((record as DownloadRecord).download_id);
      expect(now.removed_at === null).toBe(isThere as boolean);
    }
    // Audit records are written some ms after the removal, perhaps by the other server.
    const about = await waitFor(async () => {
      const { records } = await group.at(n).api.audit({ action: "content_remove", limit: "1000" });
      const told = records.map(({ download_id, outcome }) => `${outcome} ${download_id}`);
      return told.length >= due.length && told;
    }, "the audit to tell of all");
    expect(about.toSorted()).toEqual(due.map((one) => `ok ${one.download_id}`).toSorted());
    // On a disk, files shared by several sets count once. In S3 each set has its own copy.
    const sizes = this.s3 ? kept : [later, held[0]!, held[1]!];
    const stored = sizes.reduce((sum, one) => sum + sizeOf(one, due), 0);
    expect(await group.metric(n, "fds_stored_bytes")).toBe(stored);
  }

  /** Expects no errors in the logs of both servers. */
  expectNoErrors(): void {
    const lines = this.group.members.flatMap(({ program }) => program.log());
    expect(lines.filter(({ level }) => level === "error")).toEqual([]);
  }

  async #published(): Promise<string[]> {
    if (!this.s3) return this.group.published();
    return this.s3.keys.filter((key) => !key.startsWith(".server/"));
  }

  async #bytesOf(path: string): Promise<Uint8Array<ArrayBuffer>> {
    if (this.s3) return this.s3.objects.get(path)!.bytes;
    return Bun.file(join(this.group.folder, "files", path)).bytes();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sql.close({ timeout: 0 });
    await this.group[Symbol.asyncDispose]();
    await this.s3?.[Symbol.asyncDispose]();
  }
}

/**
 * Returns the size of a download's files in bytes. For a set that shares all its files with an earlier set,
 * returns the size of that set.
 */
function sizeOf(record: DownloadRecord, due: readonly DownloadRecord[]): number {
  if (record.files_unchanged !== IN_A_SET) return record.total_size ?? 0;
  const [path] = record.paths ?? [];
  return due.find(({ paths }) => paths?.[0] === path)?.total_size ?? 0;
}

describe.skipIf(NO_POSTGRES !== "")(`row 48: two servers that share${NO_POSTGRES}`, () => {
  test.each([
    ["a folder", () => null],
    ["a bucket", () => new FakeS3()],
  ])("%s remove each download once, and nothing that is held", async (_, storage) => {
    await using scene = await Scene.set(storage());
    await scene.release();
    await scene.expectRemovedOnce(0);
    scene.expectNoErrors();
  });

  test("a bucket: what one left half removed as it was killed, the other one finishes", async () => {
    const s3 = new FakeS3();
    await using scene = await Scene.set(s3);
    const { group } = scene;
    const isRemoval = (request: string) => /^(DELETE|POST \?delete)/.test(request);
    let begun = 0;
    s3.fault = (request) => (isRemoval(request) && ++begun > 3 ? "no answer" : null);
    await scene.release();
    await waitFor(async () => {
      const { marked, gone } = await scene.removed();
      return marked - gone === 2 && begun >= 5;
    }, "each of them to be in the middle of a removal");
    // Reading the audit flushes its pending records, before the server is killed.
    await group.at(0).api.audit({ action: "content_remove" });
    group.at(0).program.signal("SIGKILL");
    await group.at(0).program.ended();
    s3.fault = () => null;
    await scene.expectRemovedOnce(1);
  });
});
