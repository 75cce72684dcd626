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

/** Initial size of the source file, in bytes: a few full frames, and one that is not full. */
const SIZE = 5 * CHUNK + 100;

/** Longest time until the server notices that a full disk has room again, in ms. */
const ROOM_RECHECK = 5_000;

/** Longest time until received bytes are flushed, in ms. */
const CHECKPOINT_MS = 250;

/** Number of microtasks without a flush after which nothing is under way any more. */
const QUIET_TURNS = 300;

/** Number of microtasks after which long work gets a round of the event loop. */
const ROUND_TURNS = 100;

/**
 * The world of a model test: parts of the real server with a real database, a simulated disk and client, and
 * a fake clock that the test advances.
 */
export class MemoryWorld {
  readonly file = new MemoryFile(SIZE);
  readonly storage: ModelStorage = newModelStorage();
  /** Ended downloads by id, as a check first found them. Later checks expect that they have not changed. */
  readonly #ended = new Map<string, Download>();
  readonly #bugs: string[] = [];
  #freedAt = 0;
  #hasJobs = false;
  /** Id of the running server's lease; null if the database allows only one server. */
  #leaseId: string | null = null;
  #run: ServerRun | undefined;
  #site: MemorySite | null = null;

  /**
   * @param repository the database, which earlier worlds may have used; all their downloads have ended
   * @param clientId a client id that no other world has
   * @param advance advances the fake clock by ms
   * @param isFlushing returns whether the database is being flushed, or a call to Postgres or S3 runs
   */
  private constructor(
    private readonly repository: Repository,
    private readonly clientId: string,
    private readonly advance: (ms: number) => void,
    private readonly isFlushing: () => boolean,
  ) {}

  /** Creates a world with a running server and a connected client. The parameters are the constructor's. */
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

  /** Whether the database is Postgres or the storage S3, whose calls take real time. */
  get #isElsewhere(): boolean {
    return this.#leaseId !== null || ON_S3 !== "";
  }

  get #server(): ServerRun {
    if (!this.#run) throw new Error("no server runs");
    return this.#run;
  }

  /** Returns the downloads of this world, the oldest first. */
  async downloads(): Promise<Download[]> {
    const { clientId } = this;
    return (await this.repository.listDownloads({ clientId, limit: 1000 })).toReversed();
  }

  /** Requests a download. @returns the error code if the server refused the request */
  request(): Promise<string | undefined> {
    return codeOfRejection(this.#server.downloads.create(order(this.clientId, "file")));
  }
  cancel(downloadId: string): Promise<string | undefined> {
    return codeOfRejection(this.#server.downloads.cancel(downloadId));
  }
  retry(downloadId: string): Promise<string | undefined> {
    return codeOfRejection(this.#server.downloads.retry(downloadId));
  }

  /** Returns the jobs of this world, the oldest first. */
  async jobs(): Promise<Job[]> {
    const jobs = await this.repository.jobs.list({ limit: 1000 });
    return jobs.filter((job) => job.name === this.clientId).toReversed();
  }

  /** Creates a job for the client. @returns the error code if the server refused the job */
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

  /** Connects the client, perhaps while the server still takes its old connection for alive. */
  connect(): void {
    this.#site = new MemorySite(this.#server.clients, this.clientId, this.file);
  }

  drop(): void {
    this.#site?.leave();
    this.#site = null;
  }

  /** Stops the server cleanly and starts another one. If the client was connected, it connects again. */
  async stopServer(): Promise<void> {
    this.#server.jobs.stop();
    await this.#server.downloads.stop();
    await this.#server.clients.close();
    await this.#nextServer();
  }

  /** Cuts the power of the server after a number of microtasks, and starts another server. */
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

  /** Takes a lease for the new server, and ends the lease of the server before. */
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

  /** Lets the client send frames. @param frames highest number of frames of each file */
  async flow(frames: number): Promise<void> {
    for (let n = 0; n < frames && this.#site?.flow(); n++) await this.settle();
  }

  async wait(ms: number): Promise<void> {
    this.advance(ms);
    await this.settle();
  }

  /** Waits until all work is done that does not wait for the clock, such as flushes. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < QUIET_TURNS; turn++) {
      // Long work of jobs, and calls to Postgres or S3, need rounds of the real event loop to make progress.
      const isLong = this.#hasJobs || this.#isElsewhere;
      if (isLong && turn % ROUND_TURNS === 0) await nextRound();
      await Promise.resolve();
      if (!this.isFlushing()) continue;
      turn = 0;
      if (this.#isElsewhere) await nextRound();
    }
  }

  /** Checks the invariants that must hold whenever no work is under way. */
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

  /** Ends all simulated faults, then checks that every download and job ends by itself. */
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
      // A cancelled job is allowed even if its download had ended by itself before.
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
    // The only change of a download that has ended is the id of its retry, with a new revision.
    const { revision, ...rest } = download;
    const retriedAs = "retriedAs" in rest ? { retriedAs: rest.retriedAs } : {};
    if (before) expect(download).toEqual({ ...before, revision, ...retriedAs });
    if (hasEnded(download)) this.#ended.set(downloadId, download);
    else {
      // Invariant B: the durable offset never exceeds the bytes that survive a power cut.
      expect(this.storage.safeBytesOf(downloadId)).toBeGreaterThanOrEqual(
        durableOffsetOf(download),
      );
    }
    if (download.status === "failed") {
      // Invariant F: the error names the true cause, which can only be a change of the source file.
      expect(download.problem.code).toBeOneOf(["file_not_found", "source_changed"]);
      expect(this.file.changes).toBeGreaterThan(0);
    }
  }

  /** Invariant C: no download that could run is queued. Not checked for jobs, which may have other limits. */
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
