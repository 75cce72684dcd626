import { link, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { DownloadRecord, NewDownload } from "../../../lib/api/schemas.ts";
import { Failure } from "../../../lib/cli/program.ts";
import { hasEnded } from "../../../lib/api/has-ended.ts";
import type { Program } from "../../support/programs.ts";
import { type ClientOptions, System, type SystemOptions } from "../../support/system.ts";
import { readMetrics } from "./server-metrics.ts";
import { forgetPeak, type Usage, usageOf } from "./usage.ts";
import type { Place } from "./workspace.ts";

/**
 * Time between two requests for the state of a download, in ms. It is long enough not to slow down the
 * server.
 */
const LOOK_EVERY = 50;

/** Number of clients that are started at the same time. */
const STARTING = 8;

/** The result of pulls that were requested together. */
export interface Pulls {
  /** Time from before the first request until the last pull was completed, in s. */
  seconds: number;
  /** Time from before the first request until each pull was completed, in s. */
  each: number[];
  bytes: number;
  records: DownloadRecord[];
}

/** The CPU time and memory that pulls needed. */
export interface Cost {
  /** CPU time of the server, in s. */
  serverCpu: number;
  /** CPU time of all clients together, in s. */
  clientsCpu: number;
  /** Peak memory of the server during the pulls, in bytes. */
  serverMemory: number;
  /** Peak memory during the pulls of the client with the highest peak, in bytes. */
  clientMemory: number;
}

/** A real server and real clients. All their files and downloads are in one place. */
export class Stage implements AsyncDisposable {
  readonly clients: Program[] = [];

  private constructor(
    readonly system: System,
    private readonly signal: AbortSignal,
  ) {}

  /**
   * Starts a server without clients.
   * @param env settings of the server
   * @param options `prepare` is called with the server's folder before the server starts. `leave` keeps the
   *   folder until all scenarios are over
   */
  static async open(
    place: Place,
    signal: AbortSignal,
    env: Record<string, string> = {},
    options: Pick<SystemOptions, "prepare" | "leave"> = {},
  ): Promise<Stage> {
    return new Stage(await System.start(env, { ...options, within: place.folder }), signal);
  }

  get api() {
    return this.system.api;
  }

  /** Starts this many more clients. They are named `site-1`, `site-2`, … */
  async addClients(count: number, options: Omit<ClientOptions, "id"> = {}): Promise<void> {
    const first = this.clients.length + 1;
    for (let n = first; n < first + count; n += STARTING) {
      this.signal.throwIfAborted();
      const ids = Array.from({ length: Math.min(STARTING, first + count - n) }, (_, k) => n + k);
      const started = ids.map((k) => this.system.startClient({ ...options, id: `site-${k}` }));
      this.clients.push(...(await Promise.all(started)));
    }
  }

  /**
   * Adds a file to the root of the clients, by a hard link.
   * @param path path of a file in the stage's place
   * @returns the file's path for a pull
   */
  async serve(path: string): Promise<string> {
    const name = basename(path);
    await rm(this.system.source(name), { force: true });
    await link(path, this.system.source(name));
    return name;
  }

  /**
   * Requests files at the same time, waits until all are completed, and removes them on the server. Files of
   * sets are kept, because ext4 creates files slowly for minutes after many were removed.
   * @throws Failure if a download did not complete
   */
  async pull(wanted: readonly NewDownload[]): Promise<Pulls> {
    const start = Date.now();
    const answers = await Promise.all(wanted.map((one) => this.api.startDownload(one)));
    const records: DownloadRecord[] = [];
    for (const { download_id } of answers) records.push(await this.#ended(download_id));
    const each = records.map(({ completed_at }) => (Date.parse(completed_at!) - start) / 1000);
    const bytes = records.reduce((sum, { total_size }) => sum + total_size!, 0);
    for (const { kind, saved_path } of records) {
      if (kind === "set") continue;
      // Removes a file on the disk. Files in S3 are removed by the scenario.
      await rm(join(this.system.folder, "downloads", saved_path!), { force: true });
    }
    return { seconds: Math.max(...each), each, bytes, records };
  }

  /** Reads the server's metrics. */
  metrics() {
    return readMetrics(this.system);
  }

  /** Pulls files like {@link Stage.pull}, and also measures the CPU time and memory needed. */
  async measure(wanted: readonly NewDownload[]): Promise<Pulls & Cost> {
    for (const { pid } of this.#programs) await forgetPeak(pid);
    const before = await this.#usage();
    const pulls = await this.pull(wanted);
    const after = await this.#usage();
    const [server = 0, ...clients] = after.map(
      (usage, n) => usage.cpuSeconds - before[n]!.cpuSeconds,
    );
    return {
      ...pulls,
      serverCpu: server,
      clientsCpu: clients.reduce((sum, cpu) => sum + cpu, 0),
      serverMemory: after[0]!.peakMemory,
      clientMemory: Math.max(...after.slice(1).map(({ peakMemory }) => peakMemory)),
    };
  }

  /** The processes to measure: the server first, then the clients. */
  get #programs(): Program[] {
    return [this.system.server, ...this.clients];
  }

  #usage(): Promise<Usage[]> {
    return Promise.all(this.#programs.map(({ pid }) => usageOf(pid)));
  }

  async #ended(downloadId: string): Promise<DownloadRecord> {
    for (;;) {
      this.signal.throwIfAborted();
      const record = await this.api.download(downloadId);
      if (record.status === "completed") return record;
      if (hasEnded(record)) throw new Failure(`a download ended ${record.status}: ${record.error}`);
      await Bun.sleep(LOOK_EVERY);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.system[Symbol.asyncDispose]();
  }
}
