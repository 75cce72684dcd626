import { join } from "node:path";
import type { Program } from "../support/programs.ts";
import { System } from "../support/system.ts";
import { SmallDisk } from "../support/small-disk.ts";
import { type Site, startSite } from "./site.ts";

const MiB = 1024 * 1024;
const DISK = 512 * MiB;
/** Subfolder for the file that fills up the disk. The subfolder is not among the published files. */
const ASIDE = ".server";

/** Maximum number of bytes that the server grants and has not written. */
const RECEIVE_BUDGET = 16 * MiB;
/** Maximum number of bytes that the server has written and not flushed. */
const CHECKPOINT = 8 * MiB;
/** Maximum number of bytes that are sent again after a break. */
export const LOST_IN_A_BREAK = RECEIVE_BUDGET + CHECKPOINT;

/** Time after the last fault in which every download must end, in ms. */
const ENDS_WITHIN = 240_000;

/** Time after a full disk in which the server may still refuse calls because of it, in ms. */
const FULL_ECHO = 15_000;

/** A server and its sites during a storm of faults. When the storm is over, everything is repaired. */
export class World implements AsyncDisposable {
  readonly #calm = Promise.withResolvers<void>();
  #isCalm = false;
  readonly #patience = new AbortController();
  #fullUntil = -Infinity;
  /** Number of times that each fault happened. */
  readonly struck: Record<string, number> = {};

  readonly sites: Site[] = [];

  private constructor(
    readonly system: System,
    /** A small disk that can be filled up; null if this machine does not allow mounting. */
    readonly disk: SmallDisk | null,
  ) {}

  /**
   * Starts the server and the sites.
   * @throws Error of the program that did not start. The others are then ended
   */
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

  /** Ends the storm of faults. From then on, no more faults are started. */
  calm(): void {
    if (this.#isCalm) return;
    this.#isCalm = true;
    this.#calm.resolve();
    setTimeout(() => this.#patience.abort(), ENDS_WITHIN).unref();
  }

  /** Aborted when the time limit for the end of all downloads has passed. */
  get patience(): AbortSignal {
    return this.#patience.signal;
  }

  /** Waits for this many ms, or until the storm of faults is over. */
  rest(ms: number): Promise<void> {
    return Promise.race([Bun.sleep(ms), this.#calm.promise]);
  }

  /** Whether the disk is full, or was full a short time ago. */
  get isFull(): boolean {
    return performance.now() < this.#fullUntil;
  }

  /**
   * Fills up the disk while work runs.
   * @param left number of bytes that stay free
   */
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

  /** Clients that are never ended. */
  get steadyClients(): Program[] {
    return this.sites.filter(({ steady }) => steady).map(({ client }) => client);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.calm();
    for (const { proxy } of this.sites) await proxy[Symbol.asyncDispose]();
    await this.system[Symbol.asyncDispose]();
  }
}
