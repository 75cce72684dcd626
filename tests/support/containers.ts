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

/** The files and folders of the project that the container images are built from. */
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

/**
 * Time limit for a probing command such as `docker version`, in ms. After this the engine counts as missing.
 */
const LOOK_TIMEOUT = 5_000;

const BASE_IMAGE = "oven/bun:1.4.5-slim";

/** Address of the Docker engine, if it is not the default one. */
const { DOCKER_HOST } = process.env;
const ENGINE: Record<string, string> = DOCKER_HOST ? { DOCKER_HOST } : {};

/**
 * Time limit for a service to become healthy, in ms. A client waits up to a minute between two tries to
 * connect.
 */
const HEALTHY_WITHIN = 90_000;

/** The command of Compose: docker-compose 1.29, or Compose v2. */
const COMPOSE = [["docker-compose"], ["docker", "compose"]].find((command) =>
  succeeds(...command, "version"),
);

/**
 * Names the missing requirement for running containers, with the way to install it. Null if nothing is
 * missing.
 */
export const missingForContainers = whatIsMissing();

function whatIsMissing(): string | null {
  if (!succeeds("docker", "version")) return "a Docker engine: install docker.io and start it";
  if (!COMPOSE) return "docker-compose: install it";
  if (succeeds("docker", "image", "inspect", BASE_IMAGE)) return null;
  return `an image: docker pull ${BASE_IMAGE}`;
}

/** Reports whether a program is installed and exits with 0 within {@link LOOK_TIMEOUT}. */
function succeeds(program = "", ...args: string[]): boolean {
  if (!Bun.which(program)) return false;
  return spawnSync([program, ...args], { env: ENGINE, timeout: LOOK_TIMEOUT }).success;
}

/** The used fields of the output of `docker inspect`. */
export interface Container {
  Id: string;
  State: { Status: string; ExitCode: number; Health: { Status: string } };
}

/**
 * The services of docker-compose.yml, as a Compose project in a copy of the sources. Disposal removes its
 * containers, images, volumes and files.
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
   * Copies the sources and runs setup, without starting a container.
   * @param fileSize size of each restaurant's file, in bytes
   */
  static async create(fileSize: number): Promise<Containers> {
    bypassProxyForLoopback(process.env);
    // Compose names the project after this folder, so each copy is a project of its own.
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

  /** Runs a command of Compose in the project's folder. @returns its standard output */
  compose(...args: string[]): Promise<string> {
    return run(this.folder, ...(COMPOSE ?? []), ...args);
  }

  docker(...args: string[]): Promise<string> {
    return run(this.folder, "docker", ...args);
  }

  /** Runs a command in the container of a service, and returns its standard output. */
  exec(service: string, ...command: string[]): Promise<string> {
    return this.compose("exec", "-T", service, ...command);
  }

  async inspect(service: string): Promise<Container> {
    const id = await this.compose("ps", "--all", "--quiet", service);
    const [container] = JSON.parse(await this.docker("inspect", id.trim()));
    return container;
  }

  /** Waits until the health checks of these services succeed. */
  async healthy(...services: string[]): Promise<void> {
    for (const service of services) {
      const isHealthy = async () => (await this.inspect(service)).State.Health.Status === "healthy";
      await waitFor(isHealthy, `${service} to be healthy`, HEALTHY_WITHIN);
    }
  }

  /** Returns the path on the host of a file that the server has saved. */
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
 * Runs a command with no environment variables except the engine's address.
 * @returns its standard output
 * @throws Error with all output, if the exit code is not 0
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
 * Returns a free port below 32768. Linux assigns ephemeral ports only from there on (ip_local_port_range), so
 * no other process gets it by chance while the images are built.
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
