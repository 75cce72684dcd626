import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, untilListening } from "../bench/core/ports.ts";
import { spawn } from "./spawn.ts";

/** Added to the names of tests that cannot run here: the way to get what they need. */
export const NO_NGINX = Bun.which("nginx") ? "" : " (needs nginx: apt-get install nginx-light)";

/** A reverse proxy that others wrote, before a server of ours. */
export class Nginx implements AsyncDisposable {
  private constructor(
    readonly port: number,
    private readonly folder: string,
    private readonly daemon: Bun.Subprocess,
  ) {}

  /**
   * @param locations what is in the `server` block
   * @param upstreams what is beside it
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

  /** What went wrong, or was worth a word. */
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
  // As root the workers would be somebody else, who may not write here.
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
