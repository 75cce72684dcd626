import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort, untilListening } from "../core/ports.ts";
import { startTool } from "./tools.ts";

/** rsync's daemon, which serves one folder on loopback. */
export class RsyncDaemon implements AsyncDisposable {
  private constructor(
    private readonly process: ReturnType<typeof startTool>,
    /** Tells it from others on this machine. */
    readonly port: number,
  ) {}

  /**
   * @param served the folder
   * @param folder for its configuration
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

  /** How rsync names something that it serves; `""` is all of it. */
  url(path: string): string {
    return `rsync://127.0.0.1:${this.port}/files/${path}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill();
    await this.process.exited;
  }
}
