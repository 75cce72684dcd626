import type { Logger } from "../../util/logger.ts";
import { hasProcessEnded, markOfProcess } from "./process-mark.ts";
import { LEASE_MS, type OtherLease, type ServerRows } from "./rows.ts";

/** How often the lease is renewed, and those of others are checked, in ms. */
const LOOK_EVERY_MS = 2_500;

/** A check that is later than this, in ms, had no database, or the process was frozen. */
const LATE_MS = 5_000;

export interface LeaseOptions {
  rows: Pick<ServerRows, "begin" | "end" | "endLapsed" | "others" | "renew">;
  serverId: string;
  /** Identity of the storage. */
  storage: string;
  /** Called when the lease is lost: everything that runs under it is over. A new lease has begun. */
  onLost: () => Promise<void>;
  /**
   * Called at each check, unless the last call has not ended yet, to see what other servers changed,
   * whether a hint told of it or not. It may take long, as the lease is renewed meanwhile.
   * @param hasEnded whether another server's lease has ended, so that its work is to be taken over
   */
  onLook: (hasEnded: boolean) => Promise<void>;
  logger: Logger;
}

/** This server's lease, one of several on the same database. */
export class Lease {
  #id = "";
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  /** The work that follows from the last check. */
  #working: Promise<void> | undefined;
  /** A lease has ended, and its work has not been taken over yet. */
  #hasEnded = false;
  #stopped = false;
  /** Since when all checks have been in time, and the time of the last one, by `performance.now`. */
  #wellSince = 0;
  #lookedAt = 0;

  constructor(private readonly options: LeaseOptions) {}

  /**
   * Begins the lease, and ends those of dead processes of this machine.
   * @throws Error when another server uses the database with another storage
   */
  async begin(): Promise<void> {
    await this.#begin();
    await this.#endDead(await this.options.rows.others());
  }

  /** Starts the periodic checks. */
  start(): void {
    this.#wellSince = this.#lookedAt = performance.now();
    this.#lookLater();
  }

  /** Ends the lease, so that others can take over this server's work at once. */
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
    const others = await rows.others();
    let ended = await this.#endDead(others);
    // After the database was away, all leases have lapsed; first everybody gets the time to renew theirs.
    const mayEnd = now - this.#wellSince > LEASE_MS;
    if (mayEnd && others.some(({ isLapsed }) => isLapsed)) ended += await rows.endLapsed();
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

  /** @returns how many were ended */
  async #endDead(others: OtherLease[]): Promise<number> {
    const { rows } = this.options;
    const dead = others.filter(({ process: mark }) => hasProcessEnded(mark));
    if (dead.length > 0) await rows.end(dead.map(({ leaseId }) => leaseId));
    return dead.length;
  }
}
