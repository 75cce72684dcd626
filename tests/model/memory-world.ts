import { expect } from "bun:test";
import { Clients } from "../../lib/server/clients/clients.ts";
import { FlowControl } from "../../lib/server/transfer/flow-control.ts";
import type { Repository } from "../../lib/server/database/repository.ts";
import { EnrolmentKeys } from "../../lib/server/clients/enrolment.ts";
import { type Download, hasEnded, durableOffsetOf } from "../../lib/server/download.ts";
import { Downloads } from "../../lib/server/downloads/downloads.ts";
import { Metrics } from "../../lib/server/metrics/metrics.ts";
import { Logger } from "../../lib/util/logger.ts";
import { NO_JOBS, order } from "../support/downloads.ts";
import { codeOfRejection } from "../support/errors.ts";
import { MemoryStorage } from "../support/memory-storage.ts";
import { Life } from "../support/mortal.ts";
import { md5 } from "../support/scripted-client.ts";
import type { Change } from "./memory-file.ts";
import { MemoryFile } from "./memory-file.ts";
import { CHUNK, MemorySite } from "./memory-site.ts";

/** Bytes of the source at first: a few frames, the last one not full. */
const SIZE = 5 * CHUNK + 100;
/** Less than the file: credit runs out, and comes again as bytes are flushed. */
const BUDGET = 3 * CHUNK;
const LIMIT = 2;

/** A disk that was full is looked at again at least so often, in ms. */
const ROOM_RECHECK = 5_000;

/** What arrived is flushed at most this long after, in ms. */
const CHECKPOINT_MS = 250;

/** More turns of the loop than anything takes between one flush and the next. */
const QUIET_TURNS = 300;

/** A server's process: all that is gone with it. */
interface ServerRun {
  life: Life;
  clients: Clients;
  downloads: Downloads;
  credit: FlowControl;
}

/**
 * The real server's parts with a real database, over a disk and a site in memory, on a clock that
 * tests move.
 */
export class MemoryWorld {
  readonly file = new MemoryFile(SIZE);
  readonly storage = new MemoryStorage();
  /** How each download that had ended was when it was first seen so. */
  readonly #ended = new Map<string, Download>();
  readonly #bugs: string[] = [];
  #freedAt = 0;
  #server: ServerRun;
  #site: MemorySite | null = null;

  /**
   * @param repository of earlier worlds, too: all their downloads have ended
   * @param clientId one that no other world has
   * @param advance moves the clock, ms
   * @param isFlushing whether the database is being flushed
   */
  constructor(
    private readonly repository: Repository,
    private readonly clientId: string,
    private readonly advance: (ms: number) => void,
    private readonly isFlushing: () => boolean,
  ) {
    this.#server = this.#startServer();
    this.connect();
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
    this.#server = this.#startServer();
    await this.#server.downloads.recover();
    if (this.#site) this.connect();
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
      await Promise.resolve();
      if (this.isFlushing()) turn = 0;
    }
  }

  /** What must hold whenever nothing moves. */
  async check(): Promise<void> {
    const downloads = await this.downloads();
    for (const download of downloads) this.#checkDownload(download);
    this.#checkFiles(downloads);
    const active = downloads.filter(({ status }) => status === "downloading");
    expect(active.length).toBeLessThanOrEqual(LIMIT);
    if (!this.#site) expect(active).toEqual([]);
    this.#checkProgress(downloads, active.length);
    expect(this.storage.removedOpen).toEqual([]);
    expect(this.#server.credit.outstanding).toBeWithin(0, BUDGET + 1);
    expect(this.#bugs).toEqual([]);
  }

  /** When all is well again, everything ends by itself, and nothing is left. */
  async expectAllEnds(): Promise<void> {
    this.setFull(false);
    if (this.file.inode === null) this.change("replace");
    this.connect();
    await this.settle();
    for (let turn = 0; turn < 50; turn++) {
      await this.flow(Infinity);
      await this.wait(5_000);
    }
    await this.check();
    expect((await this.downloads()).filter((download) => !hasEnded(download))).toEqual([]);
    expect([...this.storage.parts.keys()]).toEqual([]);
    expect(this.#server.credit.outstanding).toBe(0);
    expect(this.#server.downloads.runningCount).toBe(0);
  }

  async stop(): Promise<void> {
    await this.#server.downloads.stop();
    await this.#server.clients.close();
    this.#server.life.end();
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
      const synced = this.storage.parts.get(downloadId)?.synced ?? 0;
      expect(synced).toBeGreaterThanOrEqual(durableOffsetOf(download));
    }
    if (download.status === "failed") {
      // F: only what happened to the file can be the cause.
      expect(download.problem.code).toBeOneOf(["file_not_found", "source_changed"]);
      expect(this.file.changes).toBeGreaterThan(0);
    }
  }

  /** A: names are those of completed downloads, with bytes that the source had at a time. */
  #checkFiles(downloads: Download[]): void {
    const completed = downloads.filter((download) => download.status === "completed");
    expect([...this.storage.files.keys()].toSorted()).toEqual(
      completed.map(({ savedPath }) => savedPath!).toSorted(),
    );
    for (const { savedPath, checksum, digest } of completed) {
      const bytes = this.storage.files.get(savedPath!) ?? new Uint8Array();
      expect([checksum, digest]).toEqual(["md5", md5(bytes)]);
      expect(this.file.wasEver(bytes)).toBe(true);
    }
  }

  /** C: what may run, runs. */
  #checkProgress(downloads: Download[], active: number): void {
    if (!this.#site || this.storage.full || active >= LIMIT) return;
    const now = Date.now();
    if (now - this.#freedAt <= ROOM_RECHECK) return;
    const due = downloads.filter(
      (download) => download.status === "queued" && download.notBefore < now,
    );
    expect(due).toEqual([]);
  }

  #startServer(): ServerRun {
    const life = new Life();
    const repository = life.of(this.repository);
    const storage = life.of(this.storage);
    const credit = new FlowControl(BUDGET);
    const metrics = new Metrics();
    const write = (line: string) => {
      if (/"level":"error"/.test(line)) this.#bugs.push(line);
    };
    const logger = new Logger({ level: "error", format: "json", write });
    const clients = new Clients({
      repository,
      enrolToken: null,
      enrolmentKeys: new EnrolmentKeys(this.repository.access),
      chunkSize: CHUNK,
      version: "9.9.9",
      metrics,
      audit: { record: () => undefined },
      logger,
      onRegistered: () => downloads.clientRegistered(this.clientId),
      onChange: () => undefined,
      onLabelled: () => undefined,
    });
    const downloads: Downloads = new Downloads({
      repository,
      storage,
      clients,
      credit,
      limits: { total: LIMIT, perClient: LIMIT },
      minFreeDisk: 1,
      quotas: { file: null, perClient: null, total: null },
      onChange: () => undefined,
      jobs: NO_JOBS,
      metrics,
      audit: { record: () => undefined },
      logger,
    });
    return { life, clients, downloads, credit };
  }
}
