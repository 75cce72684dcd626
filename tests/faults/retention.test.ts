import { Database } from "bun:sqlite";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import type { DownloadRecord } from "../../lib/api/schemas.ts";
import { LoopDisk } from "../support/loop-disk.ts";
import { lacksLoopDisks, lacksStrace } from "../support/machine.ts";
import { Random } from "../support/random.ts";
import { flawsOfSet, writeSet } from "../support/set-source.ts";
import { spawnSync } from "../support/spawn.ts";
import { Strace } from "../support/strace.ts";
import { API_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { writeRandom } from "../support/sources.ts";
import { EFFORT } from "./effort.ts";
import { deadlineOf, overSeeds, SEED, seedCount } from "./seeds.ts";
import { overSteps, stepsOf } from "./steps.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Row 48 of the fault table: a server is killed, or its disk loses power, while retention removes a file and
 * a set that shares files with a later set. The row of a download must say
 * that it is removed before its files are, held downloads must stay, and a begun removal must be finished.
 */

const DAY_MS = 86_400_000;
/** The system calls that remove files from the disk or flush data. */
const CALLS = "fsync,fdatasync,unlink,unlinkat,rmdir,rename,renameat,renameat2";

/** Size of the disk that can lose power, in bytes. */
const DISK = 64 * 1024 * 1024;
/** Settings that put the database on another disk, which does not lose power. */
const APART = { DATABASE_URL: "sqlite://state.db" };

/** A server with KEEP_DAYS=1 and downloads that are due, held, or not due for removal. */
class Scene implements AsyncDisposable {
  private constructor(
    readonly system: System,
    /** Downloads that are due for removal as soon as their hold ends. */
    readonly due: { file: DownloadRecord; set: DownloadRecord },
    /** A download that is old enough for removal, but held during the whole test. */
    readonly held: DownloadRecord,
    /** A set that is not due for removal. It shares all its files with the set that is. */
    readonly later: DownloadRecord,
    readonly wanted: string,
    /**
     * The disk that can lose power, with the downloads and perhaps the database. Null if no such disk is
     * used.
     */
    readonly disk: LoopDisk | null,
  ) {}

  /**
   * Sets up the server and its downloads.
   * @param env settings of a server whose downloads are on a disk that can lose power; null: a server with
   *   default settings and an ordinary disk
   */
  static async set(seed: number, env: Record<string, string> | null = null): Promise<Scene> {
    let disk: LoopDisk | null = null;
    const prepare = async (folder: string) =>
      (disk = await LoopDisk.mount(join(folder, "downloads"), DISK));
    const system = await System.start(
      { KEEP_DAYS: "1", LOG_LEVEL: "warn", ...env },
      env ? { prepare } : {},
    );
    try {
      await writeSet(system, new Random(seed), { small: 8, large: [] });
      // Makes the files so old that `unchanged: "skip"` trusts their modification times.
      spawnSync(["find", system.source(""), "-exec", "touch", "-d", "2020-01-01", "{}", "+"]);
      const { md5 } = await writeRandom(system.source("a.bin"), 50_000);
      await system.startClient();
      const pull = async (what: object) =>
        system.ended(
          (await system.api.startDownload({ client_id: "site-1", ...what })).download_id,
        );
      const all = { paths: ["exports"], unchanged: "skip" } as const;
      const set = await pull(all);
      const later = await pull(all);
      const [file, held] = [await pull({ file_path: "a.bin" }), await pull({ file_path: "a.bin" })];
      const scene = new Scene(system, { file, set }, held, later, md5, disk);
      for (const one of [file, set, held]) await scene.hold(one, true);
      scene.age(file, set, held);
      return scene;
    } catch (error) {
      await system[Symbol.asyncDispose]();
      throw error;
    }
  }

  hold({ download_id }: DownloadRecord, isHeld: boolean): Promise<Response> {
    return fetch(`${this.system.url}/api/downloads/${download_id}`, {
      method: "PATCH",
      headers: { Authorization: `Bearer ${API_TOKEN}` },
      body: JSON.stringify({ hold: isHeld }),
    });
  }

  /** Moves the completion of downloads ten days back. */
  age(...records: DownloadRecord[]): void {
    using database = new Database(this.system.databaseFile);
    database.run("PRAGMA busy_timeout = 5000");
    for (const { download_id } of records) {
      database.run("UPDATE downloads SET completed_at = completed_at - ? WHERE download_id = ?", [
        10 * DAY_MS,
        download_id,
      ]);
    }
  }

  /** Ends the holds of the due downloads. Repeats the calls until the server answers. */
  async release(): Promise<void> {
    for (const one of Object.values(this.due)) {
      await waitFor(
        () =>
          this.hold(one, false)
            .then(({ ok }) => ok)
            .catch(() => false),
        "the release",
      );
    }
  }

  /**
   * Reads from a download's row when it was removed and whether its bytes are gone, even while the server is
   * down.
   */
  row({ download_id }: DownloadRecord): { removed_at: number | null; bytes_gone: number } {
    using database = new Database(this.system.databaseFile, { readonly: true });
    database.run("PRAGMA busy_timeout = 5000");
    const sql = "SELECT removed_at, bytes_gone FROM downloads WHERE download_id = ?";
    return database
      .query<{ removed_at: number | null; bytes_gone: number }, [string]>(sql)
      .get(download_id)!;
  }

  get isOver(): boolean {
    return Object.values(this.due).every((one) => this.row(one).bytes_gone === 1);
  }

  path({ saved_path }: DownloadRecord, suffix = ""): string {
    return join(this.system.folder, "downloads", `${saved_path}${suffix}`);
  }

  /** Expects what must hold at every moment: files are removed only after their row says so. */
  async expectRowsFirst(): Promise<void> {
    const { file, set } = this.due;
    // Files are checked before the rows. In the other order, a removal in between would look like a missing
    // file.
    const [fileIsThere, sumsAreThere] = [
      existsSync(this.path(file)),
      existsSync(this.path(set, ".md5")),
    ];
    const folderIsThere = existsSync(this.path(set));
    const flaws = sumsAreThere ? flawsOfSet(this.system, set.saved_path!) : "";
    if (!fileIsThere) expect(this.row(file).removed_at).not.toBeNull();
    if (!sumsAreThere || !folderIsThere) expect(this.row(set).removed_at).not.toBeNull();
    // A set with its checksums must be complete, unless they were removed during the check.
    if (sumsAreThere && existsSync(this.path(set, ".md5"))) expect(flaws).toBe("");
    expect(this.row(this.held).removed_at).toBeNull();
    expect(flawsOfSet(this.system, this.later.saved_path!)).toBe("");
    const bytes = await Bun.file(this.path(this.held)).bytes();
    expect(new Bun.CryptoHasher("md5").update(bytes).digest("hex")).toBe(this.wanted);
  }

  /**
   * Waits until the removal is finished. Only the due downloads may be gone, and the stored bytes must be
   * counted right.
   */
  async expectFinished(): Promise<void> {
    const { system, due, held, later } = this;
    await waitFor(() => this.isOver, "what was begun to be finished");
    await this.expectRowsFirst();
    const names = [held, later].map(({ saved_path }) => basename(saved_path!));
    const left = await readdir(join(system.folder, "downloads/site-1"));
    expect(left.toSorted()).toEqual([...names, `${names[1]}.md5`].toSorted());
    expect(await readdir(join(system.serverFolder, "parts"))).toEqual([]);
    for (const one of Object.values(due)) {
      const answer = await fetch(`${system.url}/api/downloads/${one.download_id}/content`, {
        headers: { Authorization: `Bearer ${API_TOKEN}` },
      });
      expect(answer.status).toBe(410);
      expect(await system.api.download(one.download_id)).toMatchObject({ status: "completed" });
    }
    // Files of the removed set now count for the later set that shares them.
    const stored = (due.set.total_size ?? 0) + (held.total_size ?? 0);
    expect(await system.metric("fds_stored_bytes")).toBe(stored);
  }

  /** Kills the server, and cuts the power of its disk, if there is one. */
  async strike(): Promise<void> {
    const { server } = this.system;
    this.disk?.cutPower();
    server.signal("SIGKILL");
    await server.ended();
    await this.disk?.restorePower();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.system[Symbol.asyncDispose]();
  }
}

/**
 * Lets the server remove the due downloads, stopping it after each system call.
 * @param until the call after which the server stays stopped
 * @returns the calls up to then
 */
async function stepThrough(scene: Scene, until?: string): Promise<string[]> {
  const { system } = scene;
  const how = { calls: CALLS, inject: "signal=STOP" };
  await using strace = await Strace.attach(system.server, system.folder, how);
  const releasing = scene.release();
  const stops = () => strace.lines.filter((line) => line.includes("--- SIGSTOP {")).length;
  for (let seen = 1; ; seen++) {
    await waitFor(() => stops() >= seen || scene.isOver, `stop ${seen}`);
    const steps = stepsOf(strace.lines, removed);
    if (until !== undefined && steps.includes(until)) {
      releasing.catch(() => undefined);
      return steps;
    }
    if (stops() < seen) {
      await strace[Symbol.asyncDispose]();
      system.server.signal("SIGCONT");
      await releasing;
      return steps;
    }
    system.server.signal("SIGCONT");
  }
}

/** Replaces the id in a path, so that calls have the same names in each run. */
const removed = (name: string) => name.replace(/^\S*\.removed$/, "removed");

const how = lacksLoopDisks === "" ? "and the power is lost" : lacksLoopDisks.trim();

describe.skipIf(lacksStrace !== "")(`row 48: as retention removes${lacksStrace},`, () => {
  test(
    `the server is killed after each call in turn, ${how} (FDS_SEED=${SEED})`,
    async () => {
      const random = new Random(SEED);
      let scenes = 0;
      /** Reports whether a step is tried: all with FAULT_EFFORT=10, else a random tenth. */
      const isTried = () => EFFORT >= 10 || random.float() < 0.1;
      const met = await overSteps(async (until) => {
        // In the first scene the database is on another disk, because a flush of its file also flushes the
        // names of files on the same disk.
        const env = scenes++ % 2 === 0 ? APART : {};
        await using scene = await Scene.set(SEED, lacksLoopDisks === "" ? env : null);
        const steps = await stepThrough(scene, until);
        if (until === undefined) {
          await scene.expectFinished();
          return steps.filter((step) => ALWAYS.has(step) || isTried());
        }
        await scene.expectRowsFirst();
        await scene.strike();
        await scene.expectRowsFirst();
        await scene.system.restartServer();
        // The server may have been killed before it received the release.
        await scene.release();
        await scene.expectFinished();
        return steps;
      });
      for (const step of ALWAYS) expect(met).toContain(step);
    },
    deadlineOf(20),
  );
});

/** Steps that are always tried: removing the file's name, the set's checksums, and the set's folder. */
const ALWAYS = new Set(["unlink 1", "unlink 2", "rename 1", "unlinkat removed 1"]);

const count = seedCount(2);
test(
  `row 48: the server is killed at random moments (FDS_SEED=${SEED}), ${count} seeds`,
  () =>
    overSeeds(count, async (seed) => {
      const random = new Random(seed);
      await using scene = await Scene.set(seed);
      for (let kills = random.int(1, 3); kills > 0; kills--) {
        const releasing = scene.release();
        const over = performance.now() + random.int(0, 1_500);
        while (performance.now() < over && !scene.isOver) await scene.expectRowsFirst();
        scene.system.server.signal("SIGKILL");
        await scene.expectRowsFirst();
        await scene.system.restartServer();
        await releasing;
      }
      await scene.expectFinished();
    }),
  deadlineOf(count),
);
