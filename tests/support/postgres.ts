import { SQL } from "bun";
import { readdirSync } from "node:fs";
import { chown, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../bench/core/ports.ts";
import { spawn, spawnSync } from "./spawn.ts";
import { waitFor } from "./wait.ts";

const PROGRAMS = programsFolder();
/** Root starts Postgres as the user `postgres`, because Postgres refuses to run as root. */
const IS_ROOT = process.getuid?.() === 0;

/** Suffix for the names of tests that are skipped without Postgres, with the command that installs it. */
export const NO_POSTGRES = PROGRAMS === null ? " (needs Postgres: apt-get install postgresql)" : "";

/** A Postgres server in which tests can make databases. */
export interface Databases extends AsyncDisposable {
  /** Makes an empty database. @returns its URL */
  makeDatabase(): Promise<string>;
}

const GIVEN_URL = process.env["TEST_POSTGRES_URL"];

/**
 * Name of an environment variable: a folder with a fresh database cluster, because a copy takes less time
 * than initdb. `bun run test` sets it ({@link NewCluster}).
 */
const NEW_CLUSTER = "TEST_POSTGRES_CLUSTER";

/**
 * Suffix for the names of tests that are skipped without any Postgres, either installed or in
 * `TEST_POSTGRES_URL`.
 */
export const NO_DATABASES = GIVEN_URL === undefined ? NO_POSTGRES : "";

/**
 * Returns the Postgres of `TEST_POSTGRES_URL`, whose user must be allowed to create databases, or starts a
 * new one.
 */
export async function startDatabases(): Promise<Databases> {
  return GIVEN_URL === undefined ? Postgres.start() : new GivenPostgres(GIVEN_URL);
}

/** A Postgres that is running already. Disposal drops the databases made here. */
class GivenPostgres implements Databases {
  readonly #made: string[] = [];

  constructor(private readonly url: string) {}

  async makeDatabase(): Promise<string> {
    const name = `fds_test_${Bun.randomUUIDv7().replaceAll("-", "")}`;
    await asAdmin(this.url, (sql) => sql.unsafe(`CREATE DATABASE ${name} TEMPLATE template0`));
    this.#made.push(name);
    return Object.assign(new URL(this.url), { pathname: name }).href;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of this.#made) {
      await asAdmin(this.url, (sql) => sql.unsafe(`DROP DATABASE ${name} WITH (FORCE)`));
    }
  }
}

/**
 * Removes all rows of a database with the server's schema, which takes less time than making a new database.
 */
export async function emptyDatabase(url: string): Promise<void> {
  await asAdmin(url, async (sql) => {
    const tables = await sql<{ name: string }[]>`
      SELECT tablename AS name FROM pg_tables
      WHERE schemaname = 'public' AND tablename <> 'schema_version'`;
    await sql.unsafe(`TRUNCATE ${tables.map(({ name }) => name).join(", ")} RESTART IDENTITY`);
    await sql`ALTER SEQUENCE revisions RESTART`;
  });
}

/**
 * A Postgres in a temporary folder, listening on loopback. It is killed when the process that started it
 * exits.
 */
export class Postgres implements Databases {
  #databases = 0;
  #process: Bun.Subprocess | undefined;

  private constructor(
    private readonly folder: string,
    readonly port: number,
  ) {}

  /**
   * Starts Postgres on a free port.
   * @param prepare prepares the data folder, such as by a mount. The write-ahead log is then outside that
   *   folder
   */
  static async start(prepare?: (data: string) => Promise<unknown>): Promise<Postgres> {
    const folder = await makeFolder();
    const postgres = new Postgres(folder, await freePort());
    try {
      const ready = process.env[NEW_CLUSTER];
      if (prepare) await makePreparedCluster(folder, prepare);
      else await (ready === undefined ? makeCluster(folder) : copyCluster(ready, folder));
      await postgres.restart();
      return postgres;
    } catch (error) {
      await postgres[Symbol.asyncDispose]();
      throw error;
    }
  }

  async makeDatabase(): Promise<string> {
    const name = `rows_${++this.#databases}`;
    await asAdmin(this.urlOf("postgres"), (sql) =>
      sql.unsafe(`CREATE DATABASE ${name} TEMPLATE template0`),
    );
    return this.urlOf(name);
  }

  /** Returns the URL of a database. @param port of a proxy in front of Postgres, if there is one */
  urlOf(name: string, port = this.port): string {
    return `postgres://fds@127.0.0.1:${port}/${name}`;
  }

  /** Kills Postgres without a clean shutdown, as a power cut would. */
  async kill(): Promise<void> {
    // When the postmaster dies, its child processes exit by themselves.
    this.#process?.kill("SIGKILL");
    await this.#process?.exited;
  }

  /** Starts Postgres, for the first time or after {@link kill}. */
  async restart(): Promise<void> {
    const own = [`port=${this.port}`, `unix_socket_directories=${this.folder}`];
    // Shared memory is a file in the data folder. After a kill, other kinds would stay in /dev/shm.
    const memory = "dynamic_shared_memory_type=mmap";
    const settings = [
      ...own,
      memory,
      "listen_addresses=127.0.0.1",
      "fsync=off",
      "max_connections=200",
    ];
    await waitFor(async () => {
      const { folder } = this;
      const options = settings.flatMap((setting) => ["-c", setting]);
      this.#process = run(folder, program("postgres"), "-D", `${folder}/data`, ...options);
      // Postgres does not start while processes of a killed one are still exiting, so the start is repeated.
      return waitFor(
        () => this.#answers().then((answers) => answers || this.#process?.exitCode !== null),
        "Postgres to start",
      ).then(() => this.#process?.exitCode === null);
    }, "Postgres to start");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // SIGQUIT is Postgres's immediate shutdown, without a checkpoint.
    this.#process?.kill("SIGQUIT");
    await this.#process?.exited;
    await rm(this.folder, { recursive: true, force: true });
  }

  #answers(): Promise<boolean> {
    return asAdmin(this.urlOf("postgres"), (sql) => sql`SELECT 1`).then(
      () => true,
      () => false,
    );
  }
}

/** The files of a fresh database cluster, to be copied; see {@link NEW_CLUSTER}. */
export class NewCluster implements AsyncDisposable {
  private constructor(private readonly folder: string) {}

  static async make(): Promise<NewCluster> {
    const folder = await makeFolder();
    await makeCluster(folder);
    return new NewCluster(folder);
  }

  /** Environment variables that let the tests find the cluster. */
  get env(): Record<string, string> {
    return { [NEW_CLUSTER]: this.folder };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Makes a temporary folder that the user of Postgres owns. */
async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "fds-postgres-"));
  if (IS_ROOT) await chown(folder, idOf("-u"), idOf("-g"));
  return folder;
}

/** Makes a cluster in a prepared data folder, with the write-ahead log in a folder beside it. */
async function makePreparedCluster(
  folder: string,
  prepare: (data: string) => Promise<unknown>,
): Promise<void> {
  const data = join(folder, "data");
  await prepare(data);
  if (IS_ROOT) await chown(data, idOf("-u"), idOf("-g"));
  await makeCluster(folder, `--waldir=${folder}/wal`);
}

async function makeCluster(folder: string, ...more: string[]): Promise<void> {
  const own = ["--username=fds", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"];
  const flags = [...own, ...more];
  const made = run(folder, program("initdb"), "--no-sync", ...flags, `--pgdata=${folder}/data`);
  if ((await made.exited) !== 0) throw new Error(`initdb failed in "${folder}"`);
}

async function copyCluster(from: string, to: string): Promise<void> {
  const copied = run(to, "cp", "-R", "-p", `${from}/data`, `${to}/data`);
  if ((await copied.exited) !== 0) throw new Error(`"${from}" could not be copied to "${to}"`);
}

function program(name: "initdb" | "postgres"): string {
  return join(PROGRAMS ?? "", name);
}

/** Runs a command in a folder. Root runs it as the user `postgres`. */
function run(folder: string, ...command: string[]): Bun.Subprocess {
  const own = ["--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig=KILL"];
  const asOwner = IS_ROOT ? ["setpriv", ...own] : [];
  return spawn([...asOwner, ...command], { cwd: folder, stdio: ["ignore", "ignore", "ignore"] });
}

async function asAdmin(url: string, work: (sql: SQL) => Promise<unknown>): Promise<void> {
  const sql = new SQL(url, { max: 1 });
  try {
    await work(sql);
  } finally {
    await sql.close({ timeout: 0 });
  }
}

/**
 * Returns the folder of Postgres's programs: the one in the PATH, or the newest version that Debian has
 * installed. Null if there is none.
 */
function programsFolder(): string | null {
  const inPath = Bun.which("initdb");
  if (inPath) return join(inPath, "..");
  try {
    const versions = readdirSync("/usr/lib/postgresql").map(Number);
    return `/usr/lib/postgresql/${Math.max(...versions)}/bin`;
  } catch {
    return null;
  }
}

function idOf(flag: "-u" | "-g"): number {
  return Number(spawnSync(["id", flag, "postgres"]).stdout.toString());
}
