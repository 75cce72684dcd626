import { SQL } from "bun";
import { readdirSync } from "node:fs";
import { chown, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../bench/core/ports.ts";
import { spawn, spawnSync } from "./spawn.ts";
import { waitFor } from "./wait.ts";

const PROGRAMS = programsFolder();
/** Postgres refuses to run as root. */
const IS_ROOT = process.getuid?.() === 0;

/** Added to the names of tests that cannot run here: the way to get what they need. */
export const NO_POSTGRES = PROGRAMS === null ? " (needs Postgres: apt-get install postgresql)" : "";

/** Where tests make databases. */
export interface Databases extends AsyncDisposable {
  /** Makes an empty database. @returns its URL */
  makeDatabase(): Promise<string>;
}

const GIVEN_URL = process.env["TEST_POSTGRES_URL"];

/**
 * In the environment of tests: a folder with the files of a new cluster, which are sooner copied than
 * made. `bun run test` makes it ({@link NewCluster}).
 */
const NEW_CLUSTER = "TEST_POSTGRES_CLUSTER";

/** Added to the names of tests for which any Postgres will do. */
export const NO_DATABASES = GIVEN_URL === undefined ? NO_POSTGRES : "";

/** The Postgres of `TEST_POSTGRES_URL`, whose user may make databases, or one of the test's own. */
export async function startDatabases(): Promise<Databases> {
  return GIVEN_URL === undefined ? Postgres.start() : new GivenPostgres(GIVEN_URL);
}

/** A Postgres that runs already. */
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

/** Removes all rows of a database of ours: sooner done than another one is made. */
export async function emptyDatabase(url: string): Promise<void> {
  await asAdmin(url, async (sql) => {
    const tables = await sql<{ name: string }[]>`
      SELECT tablename AS name FROM pg_tables
      WHERE schemaname = 'public' AND tablename <> 'schema_version'`;
    await sql.unsafe(`TRUNCATE ${tables.map(({ name }) => name).join(", ")} RESTART IDENTITY`);
    await sql`ALTER SEQUENCE revisions RESTART`;
  });
}

/** A Postgres of its own, in a temporary folder, on loopback. It ends with the program that started it. */
export class Postgres implements Databases {
  #databases = 0;
  #process: Bun.Subprocess | undefined;

  private constructor(
    private readonly folder: string,
    readonly port: number,
  ) {}

  /**
   * @param prepare makes the folder ready where its tables will be; its log of changes is elsewhere then
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

  /** @param port of a proxy before it */
  urlOf(name: string, port = this.port): string {
    return `postgres://fds@127.0.0.1:${port}/${name}`;
  }

  /** Ends all of its processes at once, as a power cut would. */
  async kill(): Promise<void> {
    // What the postmaster's death leaves behind ends by itself.
    this.#process?.kill("SIGKILL");
    await this.#process?.exited;
  }

  /** Starts it, again after it was killed. */
  async restart(): Promise<void> {
    const own = [`port=${this.port}`, `unix_socket_directories=${this.folder}`];
    // Shared memory in its folder: of one that was killed, it would stay in /dev/shm.
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
      // After a kill, processes of the old one may still be there for a moment: it refuses to start.
      return waitFor(
        () => this.#answers().then((answers) => answers || this.#process?.exitCode !== null),
        "Postgres to start",
      ).then(() => this.#process?.exitCode === null);
    }, "Postgres to start");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Immediate: nothing of it is wanted any more.
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

/** The files of a cluster that nobody has used yet; see {@link NEW_CLUSTER}. */
export class NewCluster implements AsyncDisposable {
  private constructor(private readonly folder: string) {}

  static async make(): Promise<NewCluster> {
    const folder = await makeFolder();
    await makeCluster(folder);
    return new NewCluster(folder);
  }

  /** For the environment of tests. */
  get env(): Record<string, string> {
    return { [NEW_CLUSTER]: this.folder };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Makes a folder that Postgres may use. */
async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "fds-postgres-"));
  if (IS_ROOT) await chown(folder, idOf("-u"), idOf("-g"));
  return folder;
}

/** With its log of changes beside its tables. */
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

/** Runs a command in a folder, not as root. */
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

/** The newest one that Debian has installed, or what is in the PATH. */
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
