import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "bun:test";
import { ApiClient } from "../../lib/cli/rest/api-client.ts";
import { type Backend, startBackend } from "./backend.ts";
import { bypassProxyForLoopback } from "./no-proxy.ts";
import type { DownloadRecord } from "../../lib/api/schemas.ts";
import { parseMetrics, valueOf } from "./prometheus.ts";
import { Program } from "./programs.ts";
import { waitFor } from "./wait.ts";
import { runtimeEnvironment } from "./runtime.ts";
import { md5OfFile, type Version, versionOf } from "./sources.ts";

export const API_TOKEN = "the-operators-token";
export const ENROLL_TOKEN = "the-sites-token";

/** Time limit for a download to end, in ms, unless the test gives another one. */
const DEADLINE = 120_000;

export interface ClientOptions {
  id?: string;
  /** URL of the server, or of a proxy in front of it. */
  server?: string;
  /** Folders to serve, relative to the system's folder. */
  roots?: string[];
  env?: Record<string, string>;
}

export interface SystemOptions {
  /**
   * Prepares the system's folder before the start. The returned object is disposed of after all programs
   * ended.
   */
  prepare?: (folder: string) => Promise<AsyncDisposable | null>;
  /** The folder in which the system's folder is made. */
  within?: string;
  /**
   * Whether disposal leaves the system's folder on the disk. The owner of the folder around it must remove
   * it.
   */
  leave?: boolean;
  /**
   * Paths of PEM files for the API's TLS connection: the trusted CA, and the operator's own certificate and
   * key.
   */
  tls?: { ca: string; cert?: string; key?: string };
}

/**
 * A real server and real clients in a temporary folder. Disposal ends the programs and removes the folder.
 */
export class System implements AsyncDisposable {
  readonly #clients: Program[] = [];

  private constructor(
    /** The folder of all files of the server and its clients. */
    readonly folder: string,
    readonly server: Program,
    readonly url: string,
    readonly api: ApiClient,
    /** Path of the server's SQLite file. */
    readonly databaseFile: string,
    private readonly backend: Backend,
    private readonly prepared: AsyncDisposable | null | undefined,
    private readonly leave: boolean,
  ) {}

  /** Starts a server. @param env settings of the server. A DATABASE_URL is relative to the system's folder */
  static async start(
    env: Record<string, string> = {},
    { prepare, within = tmpdir(), leave = false, tls }: SystemOptions = {},
  ): Promise<System> {
    bypassProxyForLoopback(process.env);
    const folder = await mkdtemp(join(within, "fds-e2e-"));
    let prepared: AsyncDisposable | null | undefined;
    try {
      prepared = await prepare?.(folder);
      return await System.#startIn({ folder, env, tls, prepared, leave });
    } catch (error) {
      await prepared?.[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  static async #startIn({
    folder,
    env,
    tls,
    prepared,
    leave,
  }: Pick<SystemOptions, "tls"> & {
    folder: string;
    env: Record<string, string>;
    prepared: AsyncDisposable | null | undefined;
    leave: boolean;
  }): Promise<System> {
    await mkdir(join(folder, "root"));
    const backend = await startBackend(join(folder, "downloads"), env);
    const starting = Program.start({
      name: "server",
      folder,
      argv: ["server.ts", "--host", "127.0.0.1", "--port", "0", "--downloads-dir", "downloads"],
      env: {
        ...runtimeEnvironment("server"),
        API_TOKEN,
        ENROLL_TOKEN,
        MIN_FREE_DISK: "1MiB",
        ...backend.env,
        ...env,
      },
      ready: /listening on/,
    });
    starting.catch(() => backend[Symbol.asyncDispose]());
    const server = await starting;
    const { message } = await server.waitForLine(/listening on/);
    const url = /https?:\S+/.exec(message)?.[0] ?? "";
    const api = new ApiClient({ server: url, token: API_TOKEN, tls });
    const database = env["DATABASE_URL"]?.slice("sqlite://".length);
    const databaseFile = join(folder, database ?? "downloads/.server/state.db");
    return new System(folder, server, url, api, databaseFile, backend, prepared, leave);
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** The server and all clients that were started. */
  get programs(): Program[] {
    return [this.server, ...this.#clients];
  }

  /** The folder of the server's own files: parts and records. */
  get serverFolder(): string {
    return join(this.folder, "downloads/.server");
  }

  /** Starts a client and waits until it is registered. By default it serves the folder `root`. */
  async startClient({
    id = "site-1",
    server = this.url,
    roots = ["root"],
    env,
  }: ClientOptions = {}): Promise<Program> {
    const folders = roots.flatMap((root) => ["--root", root]);
    const client = await Program.start({
      name: id,
      folder: this.folder,
      argv: ["client.ts", "--id", id, "--server", server, ...folders, "--state-dir", id],
      env: { ...runtimeEnvironment("client"), ENROLL_TOKEN, ...env },
      ready: new RegExp(`registered as ${id}$`),
    });
    this.#clients.push(client);
    return client;
  }

  /** Starts the stopped server again, with the same folders and port. */
  restartServer(): Promise<void> {
    return this.server.restart(["--port", String(this.port)]);
  }

  /** Starts a download of a file. @returns the id of the download */
  async pull(filePath: string, clientId = "site-1"): Promise<string> {
    const answer = await this.api.startDownload({ client_id: clientId, file_path: filePath });
    return answer.download_id;
  }

  /** Waits until a download has ended, while programs may restart. @param deadline time limit in ms */
  async ended(downloadId: string, deadline = DEADLINE): Promise<DownloadRecord> {
    let last: DownloadRecord | undefined;
    try {
      return await this.api.watchDownload(downloadId, (record) => (last = record), {
        signal: AbortSignal.timeout(deadline),
        pollInterval: 20,
      });
    } catch (cause) {
      const log = this.programs.map((program) =>
        program
          .log()
          .slice(-20)
          .map((line) => JSON.stringify(line))
          .join("\n"),
      );
      const told = [JSON.stringify(last), ...log].join("\n\n");
      throw new Error(`the download did not end in ${deadline / 1000} s:\n${told}`, { cause });
    }
  }

  /** Returns the value of a metric of the server. */
  async metric(name: string): Promise<number> {
    const headers = { Authorization: `Bearer ${API_TOKEN}` };
    const page = await fetch(`${this.url}/metrics`, { headers });
    return valueOf(parseMetrics(await page.text()), name);
  }

  /** Returns the path of a file in the folder that the clients serve. */
  source(filePath: string): string {
    return join(this.folder, "root", filePath);
  }

  /** Returns the records of all downloads with a status, page by page. */
  async records(status: DownloadRecord["status"]): Promise<DownloadRecord[]> {
    const records: DownloadRecord[] = [];
    let cursor: string | null = null;
    do {
      const page = { status, limit: "1000", ...(cursor !== null && { cursor }) };
      const { downloads, next_cursor } = await this.api.downloads(page);
      records.push(...downloads);
      cursor = next_cursor;
    } while (cursor !== null);
    return records;
  }

  /** Returns the paths of all published files, relative to `downloads/`. */
  async published(): Promise<string[]> {
    const names = await readdir(join(this.folder, "downloads"), {
      recursive: true,
      withFileTypes: true,
    });
    return names
      .filter((entry) => !entry.isDirectory())
      .map((entry) =>
        join(entry.parentPath, entry.name).slice(join(this.folder, "downloads/").length),
      )
      .filter((name) => !name.startsWith(".server/"))
      .toSorted();
  }

  /** Returns the names of the parts of unfinished downloads. */
  parts(): Promise<string[]> {
    return this.backend.parts();
  }

  /** Waits until no part is left. A part is removed shortly after its download has ended. */
  async expectNoParts(): Promise<void> {
    await waitFor(async () => (await this.parts()).length === 0, "the parts to be removed");
  }

  /** Expects a completed download whose saved file has the right size and MD5. */
  async expectDelivered(record: DownloadRecord, wanted: Version): Promise<void> {
    const { size, md5 } = wanted;
    expect(record).toMatchObject({
      status: "completed",
      total_size: size,
      bytes_received: size,
      percent: 100,
      md5,
      error: null,
      error_code: null,
    });
    const path = join(this.folder, "downloads", record.saved_path ?? "");
    expect(await versionOf(path)).toEqual(wanted);
  }

  /**
   * Expects what invariants A and E demand when no download is under way: the files in `downloads/` are those
   * of completed records, each with the recorded MD5, and no part is left.
   */
  async expectTidy(): Promise<void> {
    const recorded = (await this.records("completed")).map(
      ({ saved_path, md5 }) => `${md5}  ${saved_path}`,
    );
    const found: string[] = [];
    for (const name of await this.published()) {
      found.push(`${await md5OfFile(join(this.folder, "downloads", name))}  ${name}`);
    }
    expect(found.toSorted()).toEqual(recorded.toSorted());
    await this.expectNoParts();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of [...this.#clients, this.server]) await program[Symbol.asyncDispose]();
    await this.backend[Symbol.asyncDispose]();
    await this.prepared?.[Symbol.asyncDispose]();
    if (!this.leave) await rm(this.folder, { recursive: true, force: true });
  }
}
