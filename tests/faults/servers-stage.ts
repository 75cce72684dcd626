import { rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import { FakeS3 } from "../support/fake-s3.ts";
import { type Footprint, footprintOf, HAS_PROC } from "../support/footprint.ts";
import { type HeldRow, History } from "../support/history.ts";
import { LoopDisk } from "../support/loop-disk.ts";
import { lacksLoopDisks, run } from "../support/machine.ts";
import { Postgres } from "../support/postgres.ts";
import type { Program } from "../support/programs.ts";
import { settingsOf } from "../support/s3-settings.ts";
import { ServerGroup } from "../support/server-group.ts";
import { md5OfBytes, type Version, versionOf } from "../support/sources.ts";
import { waitFor } from "../support/wait.ts";
import { WITH_SHORT_WRITES } from "./disk-stage.ts";

const MiB = 1024 * 1024;

/** The storage that the servers share: a folder, an S3 bucket, or a disk that can be full or lose power. */
export type Shared = "folder" | "bucket" | "disk";
export const SHARED: readonly Shared[] =
  lacksLoopDisks === "" ? ["folder", "bucket", "disk"] : ["folder", "bucket"];

export const SITES = ["site-1", "site-2"] as const;
export const SERVERS = 3;
/** Rate of the network between clients and servers, in bytes per second. */
const RATE = 6 * MiB;
const DISK = 512 * MiB;
/** Path of the module that plants bugs into a server, triggered by files with certain names. */
const BUGS = join(import.meta.dir, "planted-bugs.ts");

/** Descriptors that may stay open: idle connections to Postgres, S3 and REST clients. */
const SPARE_DESCRIPTORS = 48;
/** Freed memory that the runtime may keep, in bytes. */
const SPARE_MEMORY = 160 * MiB;

/** Three servers on one Postgres behind a balancer, with two clients. Every part can be made to fail. */
export class ServersStage implements AsyncDisposable {
  readonly #before = new Map<string, Footprint>();

  private constructor(
    readonly shared: Shared,
    readonly postgres: Postgres,
    /** The proxy between each server and Postgres. */
    readonly ways: CuttingProxy[],
    readonly s3: FakeS3,
    readonly disk: LoopDisk | undefined,
    readonly group: ServerGroup,
    readonly history: History,
  ) {}

  static async start(shared: Shared): Promise<ServersStage> {
    const postgres = await Postgres.start();
    const starting = Array.from({ length: SERVERS }, () => CuttingProxy.start(postgres.port));
    const ways = await Promise.all(starting);
    const databaseUrl = await postgres.makeDatabase();
    const s3 = new FakeS3();
    let disk: LoopDisk | undefined;
    const group = await ServerGroup.start({
      count: SERVERS,
      databaseUrl,
      databaseUrls: ways.map(({ port }) =>
        postgres.urlOf(new URL(databaseUrl).pathname.slice(1), port),
      ),
      env: {
        ...(shared === "bucket" && settingsOf(s3)),
      },
      // Server 2 gets short writes: each write to a file takes only some of the bytes.
      envOf: (n) => ({
        BUN_OPTIONS: `--preload=${BUGS}${n === 2 ? ` ${WITH_SHORT_WRITES.BUN_OPTIONS}` : ""}`,
      }),
      prepare: async (folder) => {
        if (shared === "disk") disk = await LoopDisk.mount(join(folder, "files"), DISK);
      },
    });
    const history = await History.begin(databaseUrl);
    for (const site of SITES) await group.startClient(site);
    group.network.shape({ bytesPerSecond: RATE });
    const stage = new ServersStage(shared, postgres, ways, s3, disk, group, history);
    await stage.#takeFootprints();
    return stage;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.history[Symbol.asyncDispose]();
    await this.group.end();
    await this.disk?.[Symbol.asyncDispose]();
    await this.group[Symbol.asyncDispose]();
    for (const way of this.ways) await way[Symbol.asyncDispose]();
    await this.s3[Symbol.asyncDispose]();
    await this.postgres[Symbol.asyncDispose]();
  }

  /** The folder of published files, unless they are in a bucket. */
  get files(): string {
    return join(this.group.folder, "files");
  }

  /** Returns size and MD5 of a published file. */
  async storedAt(path: string): Promise<Version> {
    if (this.shared !== "bucket") return versionOf(join(this.files, path));
    const { bytes } = this.s3.objects.get(path) ?? { bytes: new Uint8Array() };
    return { size: bytes.length, md5: md5OfBytes(bytes) };
  }

  async published(): Promise<string[]> {
    const all =
      this.shared === "bucket"
        ? this.s3.keys.filter((key) => !isOwn(key))
        : await this.group.published();
    return all.filter((path) => !path.startsWith("lost+found")).toSorted();
  }

  /** Returns the names of the parts of unfinished downloads. */
  async parts(): Promise<string[]> {
    return this.shared === "bucket" ? this.s3.keys.filter(isOwn) : this.group.parts();
  }

  /** Fills the disk, or makes the bucket refuse uploads. */
  async fill(): Promise<void> {
    if (this.shared === "bucket") {
      this.s3.fault = (request) =>
        request.startsWith("PUT") ? { status: 403, code: "QuotaExceeded" } : null;
      return;
    }
    await waitFor(async () => {
      const { bavail, bsize } = await statfs(this.files);
      return run("fallocate", "-l", String(Math.max(1, bavail * bsize)), this.#ballast);
    }, "the disk to be filled up");
  }

  async free(): Promise<void> {
    this.s3.fault = () => null;
    await rm(this.#ballast, { force: true });
  }

  get #ballast(): string {
    return join(this.files, ".server/ballast");
  }

  /**
   * Expects that new bytes become durable, or that a running download ends.
   * @param ms time limit
   */
  async expectToMove(ms: number): Promise<void> {
    const before = await this.history.open();
    const sum = (rows: HeldRow[]) => rows.reduce((all, { safe_offset }) => all + safe_offset, 0);
    const ids = before.map(({ download_id }) => download_id);
    if (ids.length === 0) return;
    let now = before;
    const look = async () => {
      now = await this.history.rows(ids);
      return (
        sum(now) > sum(before) ||
        now.some(({ status }, n) => status !== before[n]?.status && hasEnded(status))
      );
    };
    await waitFor(look, "new bytes", ms).catch((cause: unknown) => {
      throw new Error(JSON.stringify({ before, now }), { cause });
    });
  }

  /** Expects invariant E: the programs have released their descriptors, parts and memory. */
  async expectNothingHeld(): Promise<void> {
    await waitFor(async () => (await this.parts()).length === 0, "the parts to go");
    for (const program of HAS_PROC ? this.group.programs : [])
      await this.#expectLittleHeldBy(program);
  }

  async #expectLittleHeldBy(program: Program): Promise<void> {
    const before = this.#before.get(program.name);
    if (!before) return;
    let now = await footprintOf(program);
    await waitFor(async () => {
      now = await footprintOf(program);
      const ofDownloads = now.files.filter(
        (path) => path.includes("/.server/parts/") || path.startsWith(this.group.source("")),
      );
      return (
        now.descriptors <= before.descriptors + SPARE_DESCRIPTORS &&
        now.memory <= before.memory + SPARE_MEMORY &&
        ofDownloads.length === 0
      );
    }, `${program.name} to let go of what it held`).catch((cause: unknown) => {
      throw new Error(JSON.stringify({ before, now }), { cause });
    });
  }

  async #takeFootprints(): Promise<void> {
    for (const program of HAS_PROC ? this.group.programs : []) {
      this.#before.set(program.name, await footprintOf(program));
    }
  }
}

const hasEnded = (status: string) => /^(?:completed|failed|cancelled)$/.test(status);
const isOwn = (path: string) => path.startsWith(".server/");
