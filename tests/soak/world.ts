import { join } from "node:path";
import type { Program } from "../support/programs.ts";
import { System } from "../support/system.ts";
import { SmallDisk } from "../support/small-disk.ts";
import { type Site, startSite } from "./site.ts";

const MiB = 1024 * 1024;
const DISK = 512 * MiB;
/** Beside what is under way, not among what is published. */
const ASIDE = ".server";

/**
 * The most that a server has granted and not written, and what it may have written and
 * not flushed: what a break may cost.
 */
const RECEIVE_BUDGET = 16 * MiB;
const CHECKPOINT = 8 * MiB;
export const LOST_IN_A_BREAK = RECEIVE_BUDGET + CHECKPOINT;

/** When it is calm, whatever is under way must end within this time, in ms. */
const ENDS_WITHIN = 240_000;

/** After the disk was full, this long in ms it may still be the cause of what is refused. */
const FULL_ECHO = 15_000;

/** A server and its sites in a storm; when the storm is over, all of it is whole again. */
export class World implements AsyncDisposable {
  readonly #calm = Promise.withResolvers<void>();
  #isCalm = false;
  readonly #patience = new AbortController();
  #fullUntil = -Infinity;
  /** How often each fault struck. */
  readonly struck: Record<string, number> = {};

  readonly sites: Site[] = [];

  private constructor(
    readonly system: System,
    /** Null where this machine lets nobody mount one. */
    readonly disk: SmallDisk | null,
  ) {}

  /** @throws what keeps a part of it from starting; the others are ended then */
  static async start(clients: number): Promise<World> {
    const env = { RECEIVE_BUDGET: String(RECEIVE_BUDGET), LOG_LEVEL: "warn" };
    let disk: SmallDisk | null = null;
    const system = await System.start(env, {
      prepare: async (folder) => {
        disk = await SmallDisk.mount(join(folder, "downloads"), DISK, ASIDE);
        return disk;
      },
    });
    const world = new World(system, disk);
    try {
      const starting = Array.from({ length: clients }, (_, n) => startSite(system, n));
      world.sites.push(...(await Promise.all(starting)));
      return world;
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
  }

  get isCalm(): boolean {
    return this.#isCalm;
  }

  /** The storm is over. */
  calm(): void {
    if (this.#isCalm) return;
    this.#isCalm = true;
    this.#calm.resolve();
    setTimeout(() => this.#patience.abort(), ENDS_WITHIN).unref();
  }

  /** Aborted when it has been calm for so long that everything must have ended. */
  get patience(): AbortSignal {
    return this.#patience.signal;
  }

  /** Waits, in ms; not longer than the storm lasts. */
  rest(ms: number): Promise<void> {
    return Promise.race([Bun.sleep(ms), this.#calm.promise]);
  }

  /** Whether the disk is full, or was a moment ago. */
  get isFull(): boolean {
    return performance.now() < this.#fullUntil;
  }

  /** Fills the disk up for a while. */
  async whileFull(left: number, work: () => Promise<unknown>): Promise<void> {
    this.#fullUntil = Infinity;
    try {
      await this.disk?.fill(left);
      await work();
    } finally {
      await this.disk?.free();
      this.#fullUntil = performance.now() + FULL_ECHO;
    }
  }

  /** Those that are never ended. */
  get steadyClients(): Program[] {
    return this.sites.filter(({ steady }) => steady).map(({ client }) => client);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.calm();
    for (const { proxy } of this.sites) await proxy[Symbol.asyncDispose]();
    await this.system[Symbol.asyncDispose]();
  }
}
