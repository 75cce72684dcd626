import type { Logger } from "../../util/logger.ts";
import { hasProcessEnded, markOfProcess } from "./process-mark.ts";
import { LEASE_MS, type OtherLease, type ServerRows } from "./rows.ts";

/** Interval in ms at which this server renews its lease and checks the leases of other servers. */
const CHECK_EVERY_MS = 2_500;

/**
 * A check that is delayed by more than this, in ms, means that the database was unreachable or the process
 * was frozen.
 */
const LATE_MS = 5_000;

export interface LeaseOptions {
  rows: Pick<ServerRows, "begin" | "end" | "endLapsed" | "others" | "renew">;
  serverId: string;
  /** Identity of the storage, which all servers of a database must share. */
  storage: string;
  /**
   * Called when the lease was lost and a new one has begun. Must end everything that runs under the old
   * lease.
   */
  onLost: () => Promise<void>;
  /**
   * Called at each check, unless the previous call still runs. Looks for changes by other servers, because
   * messages about them may have been lost. It may take long, because the lease is renewed meanwhile.
   * @param hasServerEnded whether the lease of another server has ended, so its work must be taken over
   */
  onCheck: (hasServerEnded: boolean) => Promise<void>;
  logger: Logger;
}

/** This server's lease: a row that shows other servers on the same database that this one is alive. */
export class Lease {
  #id = "";
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  /** The running call of `onCheck`; undefined: none runs. */
  #working: Promise<void> | undefined;
  /** Whether the work of another server, whose lease has ended, must still be taken over. */
  #hasServerEnded = false;
  #stopped = false;
  /** Since when all periodic checks have been in time, in ms of `performance.now`. */
  #onTimeSince = 0;
  #checkedAt = 0;

  constructor(private readonly options: LeaseOptions) {}

  /**
   * Begins the lease, and ends leases of dead processes on this machine.
   * @throws Error if another server uses the database with another storage
   */
  async begin(): Promise<void> {
    await this.#begin();
    await this.#endDead(await this.options.rows.others());
  }

  /** Starts the periodic checks. */
  start(): void {
    this.#onTimeSince = this.#checkedAt = performance.now();
    this.#checkLater();
  }

  /** Ends the lease, so that other servers can take over this server's work at once. */
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

  #checkLater(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#running = this.#check()
        .catch((error: unknown) => this.#report(error))
        .finally(() => this.#checkLater());
    }, CHECK_EVERY_MS);
  }

  async #check(): Promise<void> {
    const { rows, onLost, logger } = this.options;
    if (!(await rows.renew())) {
      logger.warn(
        "the lease of this server was over: its downloads are others' now, it begins anew",
      );
      await this.#begin();
      await onLost();
    }
    const now = performance.now();
    if (now - this.#checkedAt > CHECK_EVERY_MS + LATE_MS) this.#onTimeSince = now;
    this.#checkedAt = now;
    const others = await rows.others();
    let ended = await this.#endDead(others);
    // While the database is unreachable, all leases lapse. Afterwards all servers first get time to renew
    // them.
    const mayEnd = now - this.#onTimeSince > LEASE_MS;
    if (mayEnd && others.some(({ isLapsed }) => isLapsed)) ended += await rows.endLapsed();
    if (ended > 0)
      logger.warn("a server is gone, what it worked on is taken up", { servers: ended });
    this.#hasServerEnded ||= ended > 0;
    this.#working ??= this.#work().finally(() => (this.#working = undefined));
  }

  async #work(): Promise<void> {
    const hasServerEnded = this.#hasServerEnded;
    this.#hasServerEnded = false;
    try {
      await this.options.onCheck(hasServerEnded);
    } catch (error) {
      this.#hasServerEnded ||= hasServerEnded;
      this.#report(error);
    }
  }

  #report(error: unknown): void {
    if (!this.#stopped) this.options.logger.error("servers could not be looked at", {}, error);
  }

  /**
   * Ends the leases of dead processes on this machine.
   * @returns the number of leases that were ended
   */
  async #endDead(others: OtherLease[]): Promise<number> {
    const { rows } = this.options;
    const dead = others.filter(({ process: mark }) => hasProcessEnded(mark));
    if (dead.length > 0) await rows.end(dead.map(({ leaseId }) => leaseId));
    return dead.length;
  }
}
