import { mkdir, rm, statfs } from "node:fs/promises";
import { join } from "node:path";

/** Where a disk is filled up: beside what is under way, not among what is published. */
const BALLAST = ".server/ballast";

/** A disk of its own in memory for the downloads, which can be filled up. */
export class SmallDisk implements AsyncDisposable {
  private constructor(private readonly folder: string) {}

  /**
   * @param size in bytes
   * @returns null where this machine does not let us mount one: that takes Linux and root
   */
  static async mount(folder: string, size: number): Promise<SmallDisk | null> {
    if (process.platform !== "linux" || process.getuid?.() !== 0) return null;
    await mkdir(folder, { recursive: true });
    const flags = ["-t", "tmpfs", "-o", `size=${size}`, "fds-soak", folder];
    return (await run("mount", flags)) ? new SmallDisk(folder) : null;
  }

  /** Takes all of the room but so many bytes. */
  async fill(left: number): Promise<void> {
    const { bavail, bsize } = await statfs(this.folder);
    const size = Math.max(1, bavail * bsize - left);
    await run("fallocate", ["-l", String(size), join(this.folder, BALLAST)]);
  }

  async free(): Promise<void> {
    await rm(join(this.folder, BALLAST), { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!(await run("umount", [this.folder]))) throw new Error(`unmount "${this.folder}" by hand`);
  }
}

async function run(command: string, flags: string[]): Promise<boolean> {
  return (
    (await Bun.spawn([command, ...flags], { stdio: ["ignore", "ignore", "ignore"] }).exited) === 0
  );
}
