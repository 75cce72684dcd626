import type { Logger } from "../../util/logger.ts";
import { hasProcessEnded, markOfProcess } from "./process-mark.ts";
import { LEASE_MS, type ServerRows } from "./rows.ts";

/** The lease is renewed, and the others are looked at, so often, in ms. */
const LOOK_EVERY_MS = 2_500;

/** A look that is later by so much, in ms, had no database, or its process was frozen. */
const LATE_MS = 5_000;

export interface LeaseOptions {
  rows: Pick<ServerRows, "begin" | "end" | "endLapsed" | "others" | "renew">;
  serverId: string;
  /** What the storage is known by. */
  storage: string;
  /** The lease is lost: whatever runs under it is over. Another one has begun. */
  onLost: () => Promise<void>;
  /**
   * Called at each look, unless it has not ended since the last one: what other servers changed is to be
   * seen, whether they told of it or not. It may take its time: the lease is renewed meanwhile.
   * @param hasEnded whether a server's lease has ended, so that what it worked on is to be taken up
   */
  onLook: (hasEnded: boolean) => Promise<void>;
  logger: Logger;
}

/** The lease of this server, among several on one database. */
export class Lease {
  #id = "";
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  /** What follows from the last look. */
  #working: Promise<void> | undefined;
  /** A lease has ended, and nothing has followed from it yet. */
  #hasEnded = false;
  #stopped = false;
  /** Since when each look came in time, and when the last one was, by `performance.now`. */
  #wellSince = 0;
  #lookedAt = 0;

  constructor(private readonly options: LeaseOptions) {}

  /**
   * Begins the lease, and ends those of processes of this machine that are no more.
   * @throws Error when another server works on the database with another storage
   */
  async begin(): Promise<void> {
    await this.#begin();
    await this.#endDead();
  }

  /** Looks from now on. */
  start(): void {
    this.#wellSince = this.#lookedAt = performance.now();
    this.#lookLater();
  }

  /** Lets others have what this server worked on, at once. */
  async end(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
    await this.#working;
    await this.options.rows.end([this.#id]);
  }

  async #begin(): Promise<void> {
    const { rows, serverId, storage } = this.options;
    const leaseId = Bun.randomUUIDv7();
    const other = await rows.begin({
      leaseId,
      serverId,
      process: markOfProcess(process.pid),
      storage,
    });
    this.#id = leaseId;
    if (other === null) return;
    throw new Error(
      "another server works on this database and keeps its files elsewhere: give all of them one STORAGE_URL, a folder that they share or s3://BUCKET/PREFIX",
    );
  }

  #lookLater(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#running = this.#look()
        .catch((error: unknown) => this.#report(error))
        .finally(() => this.#lookLater());
    }, LOOK_EVERY_MS);
  }

  async #look(): Promise<void> {
    const { rows, onLost, logger } = this.options;
    if (!(await rows.renew())) {
      logger.warn(
        "the lease of this server was over: its downloads are others' now, it begins anew",
      );
      await this.#begin();
      await onLost();
    }
    const now = performance.now();
    if (now - this.#lookedAt > LOOK_EVERY_MS + LATE_MS) this.#wellSince = now;
    this.#lookedAt = now;
    let ended = await this.#endDead();
    // Where the database was away, all leases ran out: everybody has a chance to renew theirs first.
    if (now - this.#wellSince > LEASE_MS) ended += await rows.endLapsed();
    if (ended > 0)
      logger.warn("a server is gone, what it worked on is taken up", { servers: ended });
    this.#hasEnded ||= ended > 0;
    this.#working ??= this.#work().finally(() => (this.#working = undefined));
  }

  async #work(): Promise<void> {
    const hasEnded = this.#hasEnded;
    this.#hasEnded = false;
    try {
      await this.options.onLook(hasEnded);
    } catch (error) {
      this.#hasEnded ||= hasEnded;
      this.#report(error);
    }
  }

  #report(error: unknown): void {
    if (!this.#stopped) this.options.logger.error("servers could not be looked at", {}, error);
  }

  /** @returns how many there were */
  async #endDead(): Promise<number> {
    const { rows } = this.options;
    const others = await rows.others();
    const dead = others.filter(({ process: mark }) => hasProcessEnded(mark));
    if (dead.length > 0) await rows.end(dead.map(({ leaseId }) => leaseId));
    return dead.length;
  }
}
