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
 * Row 48: a server that is killed, or whose disk loses its power, while retention removes a file, and a set
 * of which a later one shares a part. The row says so first, what is held is not touched, and what was begun
 * is finished.
 */

const DAY_MS = 86_400_000;
/** Every call by which something of what came goes from the disk, or a row gets there. */
const CALLS = "fsync,fdatasync,unlink,unlinkat,rmdir,rename,renameat,renameat2";

/** Bytes of a disk that can lose its power. */
const DISK = 64 * 1024 * 1024;
/** The rows are elsewhere: none of them is lost with what was not flushed. */
const APART = { DATABASE_URL: "sqlite://state.db" };

/** A server that keeps what comes for a day, with what is due and held, and what is not due. */
class Scene implements AsyncDisposable {
  private constructor(
    readonly system: System,
    /** Due once they are released. */
    readonly due: { file: DownloadRecord; set: DownloadRecord },
    /** Due, and held. */
    readonly held: DownloadRecord,
    /** Not due; it shares all of its files with the set that is. */
    readonly later: DownloadRecord,
    readonly wanted: string,
    /** Where all but the rows is, or all; null: on no disk that can lose its power. */
    readonly disk: LoopDisk | null,
  ) {}

  /** @param env of the server, whose downloads are on a disk that can lose its power; null: on none */
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
      // Long enough ago to be known as settled.
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

  /** Lets them have been completed ten days earlier. */
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

  /** Asks for what is due to be released, as often as the server has to be asked. */
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

  /** What is recorded of a download, whether the server runs or not. */
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

  /** What must hold at every moment, also while nothing runs. */
  async expectRowsFirst(): Promise<void> {
    const { file, set } = this.due;
    // What is gone was looked at before its row: so a row that comes later is no excuse.
    const [fileIsThere, sumsAreThere] = [
      existsSync(this.path(file)),
      existsSync(this.path(set, ".md5")),
    ];
    const folderIsThere = existsSync(this.path(set));
    const flaws = sumsAreThere ? flawsOfSet(this.system, set.saved_path!) : "";
    if (!fileIsThere) expect(this.row(file).removed_at).not.toBeNull();
    if (!sumsAreThere || !folderIsThere) expect(this.row(set).removed_at).not.toBeNull();
    // A set that has its mark is whole, unless it lost it while it was looked at.
    if (sumsAreThere && existsSync(this.path(set, ".md5"))) expect(flaws).toBe("");
    expect(this.row(this.held).removed_at).toBeNull();
    expect(flawsOfSet(this.system, this.later.saved_path!)).toBe("");
    const bytes = await Bun.file(this.path(this.held)).bytes();
    expect(new Bun.CryptoHasher("md5").update(bytes).digest("hex")).toBe(this.wanted);
  }

  /** It is finished by itself: what was due is gone, and all else is there and counted. */
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
    // The files of the set that was removed count for the one that has them now.
    const stored = (due.set.total_size ?? 0) + (held.total_size ?? 0);
    expect(await system.metric("fds_stored_bytes")).toBe(stored);
  }

  /** The server is killed, and its disk loses its power, if it can. */
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

/** Lets the server remove what is due, one call after the other. @param until it is left stopped after that */
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

/** What a call was on, by a name without ids. */
const removed = (name: string) => name.replace(/^\S*\.removed$/, "removed");

const how = lacksLoopDisks === "" ? "and the power is lost" : lacksLoopDisks.trim();

describe.skipIf(lacksStrace !== "")(`row 48: as retention removes${lacksStrace},`, () => {
  test(
    `the server is killed after each call in turn, ${how} (FDS_SEED=${SEED})`,
    async () => {
      const random = new Random(SEED);
      let scenes = 0;
      /** In CI some of the steps are tried, and all of them with FAULT_EFFORT=10. */
      const isTried = () => EFFORT >= 10 || random.float() < 0.1;
      const met = await overSteps(async (until) => {
        // Apart first: to commit a row would flush the names on the same disk as well.
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
        // It may have been killed before it was told to release them.
        await scene.release();
        await scene.expectFinished();
        return steps;
      });
      for (const step of ALWAYS) expect(met).toContain(step);
    },
    deadlineOf(20),
  );
});

/** The file's own name, the mark of the set, and its folder's. */
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
