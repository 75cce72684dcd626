import { expect } from "bun:test";
import { LOCAL_ADMIN } from "../../lib/server/access/caller.ts";
import type { Repository } from "../../lib/server/database/repository.ts";
import { type Download, hasEnded, durableOffsetOf } from "../../lib/server/download.ts";
import type { Job } from "../../lib/server/job.ts";
import { nextRound } from "../../lib/util/fair-turns.ts";
import { order } from "../support/downloads.ts";
import { ON_S3 } from "../support/backend.ts";
import { codeOfRejection } from "../support/errors.ts";
import { checkFiles, checkJob } from "./memory-checks.ts";
import { type Change, MemoryFile } from "./memory-file.ts";
import { CHUNK, MemorySite } from "./memory-site.ts";
import { type ModelStorage, newModelStorage } from "./model-storage.ts";
import { jobFor } from "./memory-job.ts";
import { BUDGET, LIMIT, type ServerRun, startMemoryServer } from "./memory-server.ts";

/** Bytes of the source at first: a few frames, the last one not full. */
const SIZE = 5 * CHUNK + 100;

/** A disk that was full is looked at again at least so often, in ms. */
const ROOM_RECHECK = 5_000;

/** What arrived is flushed at most this long after, in ms. */
const CHECKPOINT_MS = 250;

/** More turns of the loop than anything takes between one flush and the next. */
const QUIET_TURNS = 300;

/** Turns in a round of the event loop. */
const ROUND_TURNS = 100;

/**
 * The real server's parts with a real database, over a disk and a site in memory, on a clock that
 * tests move.
 */
export class MemoryWorld {
  readonly file = new MemoryFile(SIZE);
  readonly storage: ModelStorage = newModelStorage();
  /** How each download that had ended was when it was first seen so. */
  readonly #ended = new Map<string, Download>();
  readonly #bugs: string[] = [];
  #freedAt = 0;
  #hasJobs = false;
  /** The lease of the server that runs, where the rows are of several servers. */
  #leaseId: string | null = null;
  #run: ServerRun | undefined;
  #site: MemorySite | null = null;

  /**
   * @param repository of earlier worlds, too: all their downloads have ended
   * @param clientId one that no other world has
   * @param advance moves the clock, ms
   * @param isFlushing whether the database is being flushed, or works
   */
  private constructor(
    private readonly repository: Repository,
    private readonly clientId: string,
    private readonly advance: (ms: number) => void,
    private readonly isFlushing: () => boolean,
  ) {}

  /** A world with a server and a client that is connected; takes what the constructor takes. */
  static async begin(
    repository: Repository,
    clientId: string,
    advance: (ms: number) => void,
    isFlushing: () => boolean,
  ): Promise<MemoryWorld> {
    const world = new MemoryWorld(repository, clientId, advance, isFlushing);
    await world.#beginServer();
    world.connect();
    return world;
  }

  /** Rows or files are not in this process. */
  get #isElsewhere(): boolean {
    return this.#leaseId !== null || ON_S3 !== "";
  }

  get #server(): ServerRun {
    if (!this.#run) throw new Error("no server runs");
    return this.#run;
  }

  /** The downloads of this world, the oldest first. */
  async downloads(): Promise<Download[]> {
    const { clientId } = this;
    return (await this.repository.listDownloads({ clientId, limit: 1000 })).toReversed();
  }

  /** @returns the code of the refusal, if it was refused */
  request(): Promise<string | undefined> {
    return codeOfRejection(this.#server.downloads.create(order(this.clientId, "file")));
  }
  cancel(downloadId: string): Promise<string | undefined> {
    return codeOfRejection(this.#server.downloads.cancel(downloadId));
  }
  retry(downloadId: string): Promise<string | undefined> {
    return codeOfRejection(this.#server.downloads.retry(downloadId));
  }

  /** The jobs of this world, the oldest first. */
  async jobs(): Promise<Job[]> {
    const jobs = await this.repository.jobs.list({ limit: 1000 });
    return jobs.filter((job) => job.name === this.clientId).toReversed();
  }

  /** Asks the client by a job. @returns the code of the refusal, if it was refused */
  makeJob(): Promise<string | undefined> {
    this.#hasJobs = true;
    return codeOfRejection(this.#server.jobs.create(jobFor(this.clientId), LOCAL_ADMIN, null));
  }
  pauseJob(jobId: string): Promise<string | undefined> {
    return codeOfRejection(this.#server.jobs.pause(jobId));
  }
  resumeJob(jobId: string): Promise<string | undefined> {
    return codeOfRejection(this.#server.jobs.resume(jobId));
  }
  cancelJob(jobId: string): Promise<string | undefined> {
    return codeOfRejection(this.#server.jobs.cancel(jobId));
  }
  rerunJob(jobId: string): Promise<string | undefined> {
    return codeOfRejection(this.#server.jobs.rerun(jobId, ["failed", "cancelled"]));
  }

  /** The client comes, or comes again before its old connection is seen to be dead. */
  connect(): void {
    this.#site = new MemorySite(this.#server.clients, this.clientId, this.file);
  }

  drop(): void {
    this.#site?.leave();
    this.#site = null;
  }

  /** The server is told to end, and another one begins; a client that was there comes back. */
  async stopServer(): Promise<void> {
    this.#server.jobs.stop();
    await this.#server.downloads.stop();
    await this.#server.clients.close();
    await this.#nextServer();
  }

  /** The machine fails in the middle of something, and a server begins on what is left. */
  async killServer(turns: number): Promise<void> {
    this.#site?.flow();
    this.advance(CHECKPOINT_MS);
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    this.storage.crash();
    await this.#nextServer();
  }

  async #nextServer(): Promise<void> {
    this.#server.life.end();
    await this.#beginServer();
    await this.#server.downloads.recover();
    await this.#server.jobs.recover();
    if (this.#site) this.connect();
  }

  async #beginServer(): Promise<void> {
    const { repository, clientId } = this;
    const opened = await this.storage.open();
    this.#run = startMemoryServer({ repository, opened, clientId, bugs: this.#bugs });
    await this.#beginLease();
  }

  /** The server before is seen to be dead, as its process is. */
  async #beginLease(): Promise<void> {
    const { servers } = this.repository;
    if (!servers) return;
    const ended = this.#leaseId === null ? [] : [this.#leaseId];
    this.#leaseId = Bun.randomUUIDv7();
    const lease = { leaseId: this.#leaseId, serverId: this.#leaseId, process: null };
    await servers.begin({ ...lease, storage: "memory" });
    await servers.end(ended);
  }

  change(how: Change): void {
    this.file.change(how);
  }

  setFull(full: boolean): void {
    if (this.storage.full && !full) this.#freedAt = Date.now();
    this.storage.full = full;
  }

  /** Lets frames come, as many as there are to come but at most so many of each file. */
  async flow(frames: number): Promise<void> {
    for (let n = 0; n < frames && this.#site?.flow(); n++) await this.settle();
  }

  async wait(ms: number): Promise<void> {
    this.advance(ms);
    await this.settle();
  }

  /** Lets everything happen that waits for no clock: flushes, and what follows from each of them. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < QUIET_TURNS; turn++) {
      // Long work of jobs goes on in the next round, and a database elsewhere answers in one.
      const isLong = this.#hasJobs || this.#isElsewhere;
      if (isLong && turn % ROUND_TURNS === 0) await nextRound();
      await Promise.resolve();
      if (!this.isFlushing()) continue;
      turn = 0;
      if (this.#isElsewhere) await nextRound();
    }
  }

  /** What must hold whenever nothing moves. */
  async check(): Promise<void> {
    const downloads = await this.downloads();
    for (const download of downloads) this.#checkDownload(download);
    checkFiles(downloads, this.storage.files(), this.file);
    const active = downloads.filter(({ status }) => status === "downloading");
    expect(active.length).toBeLessThanOrEqual(LIMIT);
    if (!this.#site) expect(active).toEqual([]);
    this.#checkProgress(downloads, active.length);
    expect(this.storage.removedOpen).toEqual([]);
    expect(this.#server.credit.outstanding).toBeWithin(0, BUDGET + 1);
    for (const { jobId } of await this.jobs()) {
      await checkJob(jobId, downloads, this.repository);
    }
    expect(this.#bugs).toEqual([]);
  }

  /** When all is well again, everything ends by itself, and nothing is left. */
  async expectAllEnds(): Promise<void> {
    this.setFull(false);
    if (this.file.inode === null) this.change("replace");
    this.connect();
    await this.settle();
    for (const { jobId, status } of await this.jobs()) {
      if (status === "paused") await this.resumeJob(jobId);
    }
    for (let turn = 0; turn < 50; turn++) {
      await this.flow(Infinity);
      await this.wait(5_000);
    }
    await this.check();
    expect((await this.downloads()).filter((download) => !hasEnded(download))).toEqual([]);
    expect(this.storage.parts()).toEqual([]);
    expect(this.#server.credit.outstanding).toBe(0);
    expect(this.#server.downloads.runningCount).toBe(0);
    for (const job of await this.jobs()) {
      const { counts } = await this.repository.jobs.totals(job.jobId, null);
      // Its download may have ended by itself just before.
      const isCancelled = job.status === "cancelled";
      const isOver = job.status === (counts.completed === 1 ? "completed" : "failed");
      expect([job, counts, isOver || isCancelled]).toEqual([job, counts, true]);
      expect([job.unsettled, job.rerun, job.endedAt === null]).toEqual([false, null, false]);
    }
  }

  async stop(): Promise<void> {
    this.#server.jobs.stop();
    await this.#server.downloads.stop();
    await this.#server.clients.close();
    this.#server.life.end();
    await this.storage[Symbol.asyncDispose]();
  }

  #checkDownload(download: Download): void {
    const { downloadId } = download;
    const before = this.#ended.get(downloadId);
    // A retry of it is all that an end takes down.
    const { revision, ...rest } = download;
    const retriedAs = "retriedAs" in rest ? { retriedAs: rest.retriedAs } : {};
    if (before) expect(download).toEqual({ ...before, revision, ...retriedAs });
    if (hasEnded(download)) this.#ended.set(downloadId, download);
    else {
      // B: what is called safe outlives a loss of power.
      expect(this.storage.safeBytesOf(downloadId)).toBeGreaterThanOrEqual(
        durableOffsetOf(download),
      );
    }
    if (download.status === "failed") {
      // F: only what happened to the file can be the cause.
      expect(download.problem.code).toBeOneOf(["file_not_found", "source_changed"]);
      expect(this.file.changes).toBeGreaterThan(0);
    }
  }

  /** C: what may run, runs; a job may have its own reasons. */
  #checkProgress(downloads: Download[], active: number): void {
    if (!this.#site || this.storage.full || active >= LIMIT) return;
    const now = Date.now();
    if (now - this.#freedAt <= ROOM_RECHECK) return;
    const due = downloads.filter(
      (download) =>
        download.status === "queued" && download.notBefore < now && download.jobId === null,
    );
    expect(due).toEqual([]);
  }
}
