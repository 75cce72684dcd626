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

/** Between two looks at the server, in ms: rarely enough to cost it nothing that counts. */
const LOOK_EVERY = 50;

/** How many clients start at once. */
const STARTING = 8;

/** Pulls that were asked for together. */
export interface Pulls {
  /** From before the first request until the last one was completed, in s. */
  seconds: number;
  /** The same for each of them. */
  each: number[];
  bytes: number;
  records: DownloadRecord[];
}

/** What pulls cost. */
export interface Cost {
  /** CPU seconds of the server, and of all clients together. */
  serverCpu: number;
  clientsCpu: number;
  /** The most memory meanwhile, in bytes: of the server, and of the client that had most. */
  serverMemory: number;
  clientMemory: number;
}

/** A real server and real clients, whose files and downloads are in one place. */
export class Stage implements AsyncDisposable {
  readonly clients: Program[] = [];

  private constructor(
    readonly system: System,
    private readonly signal: AbortSignal,
  ) {}

  /**
   * @param env settings of the server
   * @param options `prepare` makes its folder ready; `leave` what is in it until all scenarios are over
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

  /** Starts clients `site-1`, `site-2`, … */
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
   * Lets the clients serve a file.
   * @param path in the stage's place
   * @returns the name to ask for
   */
  async serve(path: string): Promise<string> {
    const name = basename(path);
    await rm(this.system.source(name), { force: true });
    await link(path, this.system.source(name));
    return name;
  }

  /**
   * Asks for files at once, waits until all are completed, and removes what came. The files of sets
   * stay: after many were removed, ext4 is slow to make new ones for minutes.
   * @throws Failure when one of them did not complete
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
      // In S3 it is for the scenario to remove.
      await rm(join(this.system.folder, "downloads", saved_path!), { force: true });
    }
    return { seconds: Math.max(...each), each, bytes, records };
  }

  /** What the server measures of itself. */
  metrics() {
    return readMetrics(this.system);
  }

  /** Pulls, as {@link Stage.pull} does, and gives also what that cost. */
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

  /** The server comes first. */
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
