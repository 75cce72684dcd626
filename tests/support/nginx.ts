import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, untilListening } from "../bench/core/ports.ts";
import { spawn } from "./spawn.ts";

/** Suffix for the names of tests that are skipped without nginx, with the command that installs it. */
export const NO_NGINX = Bun.which("nginx") ? "" : " (needs nginx: apt-get install nginx-light)";

/** An nginx as a reverse proxy in front of the project's server. */
export class Nginx implements AsyncDisposable {
  private constructor(
    readonly port: number,
    private readonly folder: string,
    private readonly daemon: Bun.Subprocess,
  ) {}

  /**
   * Starts nginx on a free port.
   * @param locations directives for the `server` block
   * @param upstreams directives for the `http` block
   */
  static async start(locations: string, upstreams = ""): Promise<Nginx> {
    const port = await freePort();
    const folder = await mkdtemp(join(tmpdir(), "fds-nginx-"));
    await mkdir(join(folder, "logs"));
    await writeFile(join(folder, "nginx.conf"), configOf(folder, port, { locations, upstreams }));
    const daemon = spawn(["nginx", "-p", folder, "-c", join(folder, "nginx.conf")], {
      stdout: "ignore",
      stderr: "ignore",
    });
    const nginx = new Nginx(port, folder, daemon);
    try {
      await untilListening(port, "nginx");
      return nginx;
    } catch (error) {
      await nginx[Symbol.asyncDispose]();
      throw error;
    }
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Returns the log of errors and warnings. */
  log(): Promise<string> {
    return Bun.file(join(this.folder, "error.log")).text();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.daemon.kill();
    await this.daemon.exited;
    await rm(this.folder, { recursive: true, force: true });
  }
}

function configOf(
  folder: string,
  port: number,
  { locations, upstreams }: { locations: string; upstreams: string },
): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  // As root, nginx would run its workers as another user, who cannot write to this folder.
  const user = process.getuid?.() === 0 ? "user root;" : "";
  return `${user}
daemon off;
pid ${folder}/pid;
error_log ${folder}/error.log warn;
events {}
http {
  access_log off;
  ${temporary.join("\n  ")}
  ${upstreams}
  server {
    listen 127.0.0.1:${port};
    ${locations}
  }
}
`;
}
