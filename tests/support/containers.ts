import { randomInt } from "node:crypto";
import { appendFile, cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DownloadRecord } from "../../lib/api/schemas.ts";
import { ApiClient } from "../../lib/cli/rest/api-client.ts";
import { bypassProxyForLoopback } from "./no-proxy.ts";
import { waitFor } from "./wait.ts";
import { spawn, spawnSync } from "./spawn.ts";

const PROJECT = join(import.meta.dir, "../..");

/** What containers are made from. */
const SOURCES = [
  ".dockerignore",
  "Dockerfile.client",
  "Dockerfile.server",
  "bun.lock",
  "client.ts",
  "docker-compose.yml",
  "lib",
  "package.json",
  "server.ts",
];

/** An engine that does not answer in this time, in ms, is none. */
const LOOK_TIMEOUT = 5_000;

const BASE_IMAGE = "oven/bun:1.4.5-slim";

/** Where the engine is, if that is not where it always is. */
const { DOCKER_HOST } = process.env;
const ENGINE: Record<string, string> = DOCKER_HOST ? { DOCKER_HOST } : {};

/** A client that lost its server tries again after at most a minute, in ms. */
const HEALTHY_WITHIN = 90_000;

/** docker-compose 1.29, or Compose v2. */
const COMPOSE = [["docker-compose"], ["docker", "compose"]].find((command) =>
  succeeds(...command, "version"),
);

/** What is missing here to run containers, and how to get it; null where nothing is. */
export const missingForContainers = whatIsMissing();

function whatIsMissing(): string | null {
  if (!succeeds("docker", "version")) return "a Docker engine: install docker.io and start it";
  if (!COMPOSE) return "docker-compose: install it";
  if (succeeds("docker", "image", "inspect", BASE_IMAGE)) return null;
  return `an image: docker pull ${BASE_IMAGE}`;
}

/** Whether a program is there, and ends well and soon. */
function succeeds(program = "", ...args: string[]): boolean {
  if (!Bun.which(program)) return false;
  return spawnSync([program, ...args], { env: ENGINE, timeout: LOOK_TIMEOUT }).success;
}

/** What `docker inspect` says of a container, as far as it matters here. */
export interface Container {
  Id: string;
  State: { Status: string; ExitCode: number; Health: { Status: string } };
}

/**
 * The services of docker-compose.yml as a project of their own, in a copy of what they are made
 * from; disposal removes all of it.
 */
export class Containers implements AsyncDisposable {
  readonly api: ApiClient;

  private constructor(
    readonly folder: string,
    readonly url: string,
    token: string,
  ) {
    this.api = new ApiClient({ server: url, token });
  }

  /**
   * Runs setup; no container runs yet.
   * @param fileSize of each restaurant's file, bytes
   */
  static async create(fileSize: number): Promise<Containers> {
    bypassProxyForLoopback(process.env);
    // The project has the folder's name.
    const folder = await mkdtemp(join(tmpdir(), "fds-containers-"));
    for (const name of SOURCES) {
      await cp(join(PROJECT, name), join(folder, name), { recursive: true });
    }
    await run(folder, process.execPath, join(PROJECT, "setup.ts"), "--size", String(fileSize));
    const port = freePort();
    const envFile = join(folder, ".env");
    await appendFile(envFile, `SERVER_PORT=${port}\n`);
    const [, token = ""] = /^API_TOKEN=(.+)$/m.exec(await readFile(envFile, "utf8")) ?? [];
    return new Containers(folder, `http://127.0.0.1:${port}`, token);
  }

  /** @returns what docker-compose wrote */
  compose(...args: string[]): Promise<string> {
    return run(this.folder, ...(COMPOSE ?? []), ...args);
  }

  docker(...args: string[]): Promise<string> {
    return run(this.folder, "docker", ...args);
  }

  /** Runs a command in a service's container. */
  exec(service: string, ...command: string[]): Promise<string> {
    return this.compose("exec", "-T", service, ...command);
  }

  async inspect(service: string): Promise<Container> {
    const id = await this.compose("ps", "--all", "--quiet", service);
    const [container] = JSON.parse(await this.docker("inspect", id.trim()));
    return container;
  }

  /** Waits until these services are healthy. */
  async healthy(...services: string[]): Promise<void> {
    for (const service of services) {
      const isHealthy = async () => (await this.inspect(service)).State.Health.Status === "healthy";
      await waitFor(isHealthy, `${service} to be healthy`, HEALTHY_WITHIN);
    }
  }

  /** Where the person finds what was pulled. */
  saved(record: DownloadRecord): string {
    return join(this.folder, "downloads", record.saved_path ?? "");
  }

  async services(): Promise<string[]> {
    return (await this.compose("config", "--services")).trim().split("\n").toSorted();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.compose("down", "--volumes", "--rmi", "local", "--timeout", "1");
    await rm(this.folder, { recursive: true, force: true });
  }
}

/**
 * Runs a command, which knows none of the developer's settings.
 * @returns its standard output
 * @throws Error with all that it wrote, unless it ends well
 */
async function run(folder: string, ...command: string[]): Promise<string> {
  const child = spawn(command, {
    cwd: folder,
    env: ENGINE,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  if ((await child.exited) === 0) return stdout;
  throw new Error(`"${command.join(" ")}" failed:\n${stdout}${stderr}`);
}

/**
 * A port that nobody gets by chance while images are built: Linux gives out those from 32768 on
 * (ip_local_port_range).
 */
function freePort(): number {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    try {
      void Bun.serve({ hostname: "127.0.0.1", port, fetch: () => new Response() }).stop(true);
      return port;
    } catch (error) {
      if (!(error instanceof Error) || !("code" in error) || error.code !== "EADDRINUSE")
        throw error;
    }
  }
}
