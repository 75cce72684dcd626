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

/** A download that is not over after this time hangs, in ms, unless it is a large one. */
const DEADLINE = 120_000;

export interface ClientOptions {
  id?: string;
  /** Its server: a proxy's address, where there is one between. */
  server?: string;
  /** Folders that it serves, seen from the system's own. */
  roots?: string[];
  env?: Record<string, string>;
}

export interface SystemOptions {
  /** Makes the folder ready for the server; what it gives is disposed of when all programs ended. */
  prepare?: (folder: string) => Promise<AsyncDisposable | null>;
  /** Where that folder is made. */
  within?: string;
  /** Leaves that folder, with all that is in it, to whoever made the one around it. */
  leave?: boolean;
  /** PEM files: whom the operator trusts, and what they show. */
  tls?: { ca: string; cert?: string; key?: string };
}

/** A real server and real clients in a temporary folder; disposal ends and removes all of it. */
export class System implements AsyncDisposable {
  readonly #clients: Program[] = [];

  private constructor(
    /** Where all files are. */
    readonly folder: string,
    readonly server: Program,
    readonly url: string,
    readonly api: ApiClient,
    /** The server's rows. */
    readonly databaseFile: string,
    private readonly backend: Backend,
    private readonly prepared: AsyncDisposable | null | undefined,
    private readonly leave: boolean,
  ) {}

  /** @param env settings of the server; a DATABASE_URL is relative to its folder */
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

  /** The server and every client that was started. */
  get programs(): Program[] {
    return [this.server, ...this.#clients];
  }

  /** Where the server keeps what is its own. */
  get serverFolder(): string {
    return join(this.folder, "downloads/.server");
  }

  /** Starts a client, which serves the folder `root` if not told otherwise; waits until it is registered. */
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

  /** Starts the server again where it was: same folders, same port. */
  restartServer(): Promise<void> {
    return this.server.restart(["--port", String(this.port)]);
  }

  /** Asks for a file; gives the id of the download. */
  async pull(filePath: string, clientId = "site-1"): Promise<string> {
    const answer = await this.api.startDownload({ client_id: clientId, file_path: filePath });
    return answer.download_id;
  }

  /** Waits until a download has ended, while server and client come and go. */
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

  /** A figure of `GET /metrics`. */
  async metric(name: string): Promise<number> {
    const headers = { Authorization: `Bearer ${API_TOKEN}` };
    const page = await fetch(`${this.url}/metrics`, { headers });
    return valueOf(parseMetrics(await page.text()), name);
  }

  /** A path in the folder that the clients serve. */
  source(filePath: string): string {
    return join(this.folder, "root", filePath);
  }

  /** Every download with a status, however many there are. */
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

  /** Names below `downloads/`, without the server's own. */
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

  /** Names of the files under way. */
  parts(): Promise<string[]> {
    return this.backend.parts();
  }

  /** That no file is under way: one that has ended goes just after its record says so. */
  async expectNoParts(): Promise<void> {
    await waitFor(async () => (await this.parts()).length === 0, "the parts to be removed");
  }

  /** That a download is completed, and that its file is the one that was wanted. */
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
   * What must hold at any moment when nothing is under way (invariants A and E): the
   * names in `downloads/` are those of the completed records, each with the recorded MD5, and no
   * part is left.
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
