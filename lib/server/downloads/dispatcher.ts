import { pauses } from "../../util/fair-turns.ts";
import type { Logger } from "../../util/logger.ts";
import type { Limits, Line, Repository, Waiting } from "../database/repository.ts";
import type { Downloading, Queued } from "../download.ts";
import type { Storage } from "../storage/storage.ts";
import { LONGEST_WAIT_MS } from "../transition.ts";
import { Slots } from "./slots.ts";
import { WaitingLines } from "./waiting-lines.ts";

/** Delay of the next try while the disk is too full, or after the queue could not be read, in ms. */
const ROOM_RECHECK_MS = 5_000;

/** Delay until a due download that could not be claimed is tried again, in ms. */
const CLAIM_AGAIN_MS = 1_000;

export interface DispatcherOptions {
  repository: Pick<
    Repository,
    "claimDownload" | "countActiveLines" | "dueSince" | "nextDueAt" | "servers" | "waitingFor"
  >;
  storage: Pick<Storage, "freeSpace">;
  limits: Limits;
  /** Bytes that must stay free on the disk. */
  minFreeDisk: number;
  isConnected: (clientId: string) => boolean;
  /** Returns the number of a client's running downloads. */
  runningOf: (clientId: string) => number;
  /** Returns how many downloads of a job may run at once; 0: none may start now. */
  mostOf: (jobId: string) => Promise<number>;
  /** Runs a claimed download. */
  start: (download: Downloading) => void;
  logger: Logger;
}

/**
 * Starts queued downloads. Every download starts here, whether it is new, tried again, or was found when the
 * server started. The dispatcher is woken by a new row, a client that registers, a download that ends, or a
 * time that comes. Then it claims downloads until none can be claimed.
 *
 * It remembers for which clients downloads wait, and never reads the whole queue. Downloads without a job
 * form one line, and those of each job form another. The lines take turns, and so do the clients in each
 * line.
 */
export class Dispatcher {
  #running: Promise<void> | undefined;
  /** True: `wake` was called while downloads were being claimed, so another run follows. */
  #isWanted = false;
  #stopped = false;
  #timer: Timer | undefined;
  #timerAt = Infinity;
  /** Time in ms since 1970. Downloads that became due up to then have been found. */
  #foundUpTo = Date.now();
  /** True: downloads that other servers queued have to be looked for. */
  #mustLookElsewhere = false;
  /** Revision of a change. Downloads that other servers queued up to this change have been found. */
  #foundUpToRevision = 0;
  readonly #waiting = new WaitingLines();
  /** Clients that registered and whose waiting downloads have not been looked up yet. */
  readonly #registered = new Set<string>();
  /** Jobs that, in the last run, allowed no download to start. */
  readonly #blockedLines = new Set<Line>();

  constructor(private readonly options: DispatcherOptions) {}

  /** Handles a download that was queued. */
  queued({ clientId, jobId, notBefore }: Queued): void {
    if (notBefore > Date.now()) return this.wake(notBefore);
    if (this.options.isConnected(clientId)) this.#waiting.add({ clientId, line: jobId });
    this.wake();
  }

  /** Handles a client that registered, so that its waiting downloads can start. */
  clientRegistered(clientId: string): void {
    this.#registered.add(clientId);
    this.wake();
  }

  /**
   * Looks for downloads that other servers queued, and for slots that they freed.
   * @param revision revision of the latest change of a download
   */
  lookElsewhere(revision: number): void {
    if (revision === this.#foundUpToRevision && this.#waiting.lines().length === 0) return;
    this.#mustLookElsewhere = true;
    this.wake();
  }

  /**
   * Looks for downloads to start, now or at a later time.
   * @param at ms since 1970; now if this time has passed
   */
  wake(at = 0): void {
    if (this.#stopped) return;
    const wait = Math.min(at - Date.now(), LONGEST_WAIT_MS);
    if (wait > 0) return this.#wakeAt(at, wait);
    if (this.#running) {
      this.#isWanted = true;
      return;
    }
    this.#running = this.#dispatch()
      .catch((error: unknown) => {
        this.options.logger.error("the queue could not be read", {}, error);
        this.wake(Date.now() + ROOM_RECHECK_MS);
      })
      .finally(() => {
        this.#running = undefined;
        if (this.#isWanted) {
          this.#isWanted = false;
          this.wake();
        }
      });
  }

  /** Reports whether a connected client waits for a slot that other clients use. */
  isCrowded(): boolean {
    const { limits, isConnected, runningOf } = this.options;
    for (const line of this.#waiting.lines()) {
      if (this.#blockedLines.has(line)) continue;
      for (const [clientId] of this.#waiting.clientsOf(line)) {
        if (isConnected(clientId) && runningOf(clientId) < limits.perClient) return true;
      }
    }
    return false;
  }

  /** Stops claiming downloads. Nothing is claimed any more once this has resolved. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #wakeAt(at: number, wait: number): void {
    if (at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => {
      this.#timerAt = Infinity;
      this.wake();
    }, wait);
  }

  async #dispatch(): Promise<void> {
    const { repository, limits } = this.options;
    const now = Date.now();
    await this.#findDue(now);
    const slots = new Slots(limits, await repository.countActiveLines());
    await this.#startSome(slots);
    // `now` is when this run began. Downloads that became due since then were not looked for in this run.
    const next = await repository.nextDueAt(now);
    if (next !== null) this.wake(next);
  }

  /**
   * Looks up the waiting downloads of clients that registered, and downloads that became due. If the clock
   * was put back, all due downloads are looked up.
   */
  async #findDue(now: number): Promise<void> {
    for (const clientId of this.#registered) {
      const waiting = await this.options.repository.waitingFor(clientId, now);
      for (const one of waiting) this.#waiting.add(one);
      this.#registered.delete(clientId);
    }
    const after = now < this.#foundUpTo ? 0 : this.#foundUpTo;
    for (const waiting of await this.options.repository.dueSince(after, now)) {
      if (this.options.isConnected(waiting.clientId)) this.#waiting.add(waiting);
    }
    this.#foundUpTo = now;
    const { servers } = this.options.repository;
    if (!servers || !this.#mustLookElsewhere) return;
    this.#mustLookElsewhere = false;
    const { waiting, upTo } = await servers.waitingSince(this.#foundUpToRevision, now);
    for (const one of waiting) if (this.options.isConnected(one.clientId)) this.#waiting.add(one);
    this.#foundUpToRevision = upTo;
  }

  /**
   * Starts one download of each line in turn, so that a long line does not take all slots. Each job has a
   * line; downloads without a job share one.
   */
  async #startSome(slots: Slots): Promise<void> {
    const { storage, minFreeDisk, logger } = this.options;
    // All claims share these pauses. If many slots come free at once, other work on the event loop gets its
    // turn between the claims.
    const pause = pauses();
    this.#blockedLines.clear();
    let isSpaceChecked = false;
    for (let isMore = true; isMore;) {
      isMore = false;
      for (const line of this.#waiting.lines()) {
        if (this.#stopped || slots.areTaken) return;
        if (this.#blockedLines.has(line) || !slots.isFreeForLine(line)) continue;
        if (!(await this.#mayStart(line, slots))) continue;
        await pause();
        const next = await this.#nextOf(line, slots, pause);
        if (!next) continue;
        if (!isSpaceChecked && (await storage.freeSpace()).free < minFreeDisk) {
          logger.warn("downloads wait: the disk is too full to begin any");
          return this.wake(Date.now() + ROOM_RECHECK_MS);
        }
        isSpaceChecked = true;
        await this.#claim(next.waiting, next.hint, slots);
        isMore = true;
      }
    }
  }

  async #mayStart(line: Line, slots: Slots): Promise<boolean> {
    if (line === null) return true;
    const maxRunning = await this.options.mostOf(line);
    if (maxRunning === 0) this.#blockedLines.add(line);
    return slots.runningOf(line) < maxRunning;
  }

  /**
   * Returns the next client in a line for which a slot is free; null: there is none. Clients that are no
   * longer connected are removed from the line.
   */
  async #nextOf(
    line: Line,
    slots: Slots,
    pause: () => Promise<void>,
  ): Promise<{ waiting: Waiting; hint: number } | null> {
    for (const [clientId, hint] of this.#waiting.clientsOf(line)) {
      await pause();
      const waiting = { clientId, line };
      if (!this.options.isConnected(clientId)) this.#waiting.forget(waiting, hint);
      else if (slots.isFreeForClient(waiting)) return { waiting, hint };
    }
    return null;
  }

  async #claim(waiting: Waiting, hint: number, slots: Slots): Promise<void> {
    const { repository, limits, isConnected, start } = this.options;
    const { clientId, line } = waiting;
    const download = await repository.claimDownload(clientId, line, limits, Date.now());
    if (!download) return this.#notClaimed(waiting, hint, slots);
    slots.take(waiting);
    if (isConnected(clientId)) this.#waiting.served(waiting);
    start(download);
  }

  /**
   * Handles a claim that found no download to start. If the client has no due download in the line, it is
   * dropped from the line. Otherwise another server took the slot, or the job was paused, and the client
   * stays in the line to be tried again.
   */
  async #notClaimed(waiting: Waiting, hint: number, slots: Slots): Promise<void> {
    const due = await this.options.repository.waitingFor(waiting.clientId, Date.now());
    if (!due.some(({ line }) => line === waiting.line)) return this.#waiting.forget(waiting, hint);
    slots.refuse(waiting);
    this.wake(Date.now() + CLAIM_AGAIN_MS);
  }
}
