import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort, untilListening } from "../core/ports.ts";
import { startTool } from "./tools.ts";

/** The rsync daemon, serving one folder on 127.0.0.1. */
export class RsyncDaemon implements AsyncDisposable {
  private constructor(
    private readonly process: ReturnType<typeof startTool>,
    /**
     * Port of 127.0.0.1 on which the daemon listens. The port is also used in file names, to keep several
     * daemons apart.
     */
    readonly port: number,
  ) {}

  /**
   * Starts a daemon.
   * @param served the folder to serve
   * @param folder folder for the daemon's configuration
   */
  static async start(served: string, folder: string): Promise<RsyncDaemon> {
    const port = await freePort();
    const config = join(folder, `rsyncd-${port}.conf`);
    await writeFile(config, `use chroot = no\n[files]\npath = ${served}\n`);
    const daemon = startTool("rsync", [
      ...["--daemon", "--no-detach", "--address=127.0.0.1", `--port=${port}`, `--config=${config}`],
    ]);
    await untilListening(port, "the rsync daemon");
    return new RsyncDaemon(daemon, port);
  }

  /** Returns the rsync URL of a path in the served folder; `""` is the whole folder. */
  url(path: string): string {
    return `rsync://127.0.0.1:${this.port}/files/${path}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill();
    await this.process.exited;
  }
}
