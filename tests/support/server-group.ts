import { SQL } from "bun";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { expect } from "bun:test";
import type { DownloadRecord } from "../../lib/api/schemas.ts";
import { ApiClient } from "../../lib/cli/rest/api-client.ts";
import { Balancer } from "./balancer.ts";
import { bypassProxyForLoopback } from "./no-proxy.ts";
import { parseMetrics, valueOf } from "./prometheus.ts";
import { Program } from "./programs.ts";
import { Proxy } from "./proxy.ts";
import { runtimeEnvironment } from "./runtime.ts";
import { type Version, versionOf } from "./sources.ts";
import { API_TOKEN, ENROLL_TOKEN } from "./system.ts";
import { waitFor } from "./wait.ts";

/** Time limit for a download to end, in ms. */
const DEADLINE = 120_000;

/** One server of a group, with its process and its API. */
export interface Member {
  program: Program;
  port: number;
  url: string;
  api: ApiClient;
}

export interface GroupOptions {
  count: number;
  databaseUrl: string;
  /** The database URL of each server, such as one with a proxy's port. By default all use `databaseUrl`. */
  databaseUrls?: string[];
  /** Settings of all servers. */
  env?: Record<string, string>;
  /** Settings of one server, by its number from 0. */
  envOf?: (n: number) => Record<string, string>;
  /** Prepares the group's folder before the start. The servers share the storage in its subfolder `files`. */
  prepare?: (folder: string) => Promise<unknown>;
}

/**
 * Several servers on one database and one storage. Clients reach them through a balancer and a simulated
 * network, which can be held or cut. Disposal removes the temporary folder.
 */
export class ServerGroup implements AsyncDisposable {
  readonly #clients: Program[] = [];

  private constructor(
    readonly folder: string,
    readonly members: Member[],
    readonly balancer: Balancer,
    /** The simulated network between the clients and the balancer. */
    readonly network: Proxy,
    private readonly databaseUrl: string,
  ) {}

  static async start(options: GroupOptions): Promise<ServerGroup> {
    bypassProxyForLoopback(process.env);
    const folder = await mkdtemp(join(tmpdir(), "fds-servers-"));
    await mkdir(join(folder, "root"));
    await options.prepare?.(folder);
    const started = Array.from({ length: options.count }, (_, n) =>
      startMember(folder, n, options),
    );
    const members = await Promise.all(started);
    const balancer = await Balancer.start(members.map(({ port }) => port));
    const network = await Proxy.listen(Number(new URL(balancer.url).port));
    return new ServerGroup(folder, members, balancer, network, options.databaseUrl);
  }

  /** Returns a server by its number from 0. @throws Error if there is no such server */
  at(n: number): Member {
    const member = this.members[n];
    if (!member) throw new Error(`there is no server ${n}`);
    return member;
  }

  /** Starts a client that serves the folder `root`, and waits until it is registered. */
  async startClient(id = "site-1", server = this.network.url): Promise<Program> {
    const client = await Program.start({
      name: id,
      folder: this.folder,
      argv: ["client.ts", "--id", id, "--server", server, "--root", "root"].concat([
        "--state-dir",
        id,
      ]),
      env: { ...runtimeEnvironment("client"), ENROLL_TOKEN },
      ready: new RegExp(`registered as ${id}$`),
    });
    this.#clients.push(client);
    return client;
  }

  /** The programs of all servers and clients. */
  get programs(): Program[] {
    return [...this.members.map(({ program }) => program), ...this.#clients];
  }

  /** The clients, in the order of their start. */
  get clients(): readonly Program[] {
    return this.#clients;
  }

  /** Starts a stopped server again, on the same port. @param n number of the server, from 0 */
  restart(n: number): Promise<void> {
    const { program, port } = this.at(n);
    return program.restart(["--port", String(port)]);
  }

  /** Cuts the connections of all clients, and waits until each has registered again. */
  async reconnect(): Promise<void> {
    const names = this.#clients.map((client) => client.log().length);
    this.network.cut("rst");
    for (const [n, client] of this.#clients.entries()) {
      await waitFor(
        () =>
          client
            .log()
            .slice(names[n])
            .some(({ message }) => /registered as/.test(message)),
        `${client.name} to come back`,
      );
    }
  }

  /** Returns the value of a metric of a server. @param n number of the server, from 0 */
  async metric(n: number, name: string): Promise<number> {
    const headers = { Authorization: `Bearer ${API_TOKEN}` };
    const page = await fetch(`${this.at(n).url}/metrics`, { headers });
    return valueOf(parseMetrics(await page.text()), name);
  }

  /** Deletes the lease of a server, as another server does after the lease has lapsed. */
  async endLease(n: number): Promise<void> {
    // Server n may be frozen and unable to tell its id, so the ids of all others are excluded instead.
    const others = this.members.filter((_, other) => other !== n);
    // A server whose database was away may answer with errors at first, so its health is asked for until it
    // answers.
    const health = ({ api }: Member) =>
      waitFor(() => api.health().catch(() => null), "a server to be well");
    const ids = (await Promise.all(others.map(health))).map(({ server_id }) => server_id);
    const sql = new SQL(this.databaseUrl, { max: 1 });
    await sql`DELETE FROM servers WHERE server_id NOT IN ${sql(ids)}`;
    await sql`DELETE FROM client_sessions WHERE lease_id NOT IN (SELECT lease_id FROM servers)`;
    await sql.close({ timeout: 0 });
  }

  /** Returns the paths of all published files. */
  async published(): Promise<string[]> {
    const files = join(this.folder, "files");
    const found = await readdir(files, { recursive: true, withFileTypes: true });
    return found
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => relative(files, join(parentPath, name)))
      .filter((path) => !path.startsWith(".server"))
      .toSorted();
  }

  /** Returns the names of the parts of unfinished downloads. */
  parts(): Promise<string[]> {
    return readdir(join(this.folder, "files/.server/parts"));
  }

  /** Returns the path of a file in the folder that the clients serve. */
  source(filePath: string): string {
    return join(this.folder, "root", filePath);
  }

  /**
   * Starts a download of "file" from "site-1" by a server's API, and holds back the second half of its bytes.
   * @param size of the file, in bytes
   * @returns the id of the download
   */
  async pullHalf(size: number, { api } = this.at(0)): Promise<string> {
    const held = this.network.after("up", size / 2, () => this.network.hold("up"));
    const { download_id } = await api.startDownload({ client_id: "site-1", file_path: "file" });
    await held;
    await waitFor(
      async () => (await api.download(download_id)).bytes_received > 0,
      "some of it to be safe",
    );
    return download_id;
  }

  /** Waits until a server reports that a download has ended, whether completed or not. */
  async ended(downloadId: string, { api } = this.at(0)): Promise<DownloadRecord> {
    let last: DownloadRecord | undefined;
    try {
      const look = async () => {
        last = await api.download(downloadId).catch(() => undefined);
        return last?.completed_at != null && last;
      };
      return await waitFor(look, "the download to end", DEADLINE);
    } catch (cause) {
      const logs = this.programs.map(
        (program) =>
          `${program.name}:\n${program
            .log()
            .slice(-25)
            .map((line) => JSON.stringify(line))
            .join("\n")}`,
      );
      throw new Error([JSON.stringify(last), ...logs].join("\n\n"), { cause });
    }
  }

  /** Expects a completed download whose saved file has the right size and MD5. */
  async expectDelivered(record: DownloadRecord, { size, md5 }: Version): Promise<void> {
    expect(record).toMatchObject({ status: "completed", total_size: size, md5, error: null });
    const saved = join(this.folder, "files", record.saved_path ?? "");
    expect(await versionOf(saved)).toEqual({ size, md5 });
  }

  /** Kills all programs and waits until they have ended. */
  async end(): Promise<void> {
    // SIGKILL also ends a process that was stopped by SIGSTOP.
    for (const program of this.programs.toReversed()) await program[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
    await this.network[Symbol.asyncDispose]();
    await this.balancer[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function startMember(folder: string, n: number, options: GroupOptions): Promise<Member> {
  const program = await Program.start({
    name: `server-${n}`,
    folder,
    argv: ["server.ts", "--host", "127.0.0.1", "--port", "0", "--downloads-dir", "files"],
    env: {
      ...runtimeEnvironment("server"),
      API_TOKEN,
      ENROLL_TOKEN,
      MIN_FREE_DISK: "1MiB",
      RECEIVE_BUDGET: "4MiB",
      DATABASE_URL: options.databaseUrls?.[n] ?? options.databaseUrl,
      ...options.env,
      ...options.envOf?.(n),
    },
    ready: /listening on/,
  });
  const { message } = await program.waitForLine(/listening on/);
  const url = /https?:\S+/.exec(message)?.[0] ?? "";
  const api = new ApiClient({ server: url, token: API_TOKEN });
  return { program, port: Number(new URL(url).port), url, api };
}
