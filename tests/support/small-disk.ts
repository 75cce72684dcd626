import { mkdir, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { lacksMounts, run } from "./machine.ts";
import { waitFor } from "./wait.ts";

/** Name of the file that fills up the disk. */
const BALLAST = "ballast";

/** A file system in memory, which can be filled up. */
export class SmallDisk implements AsyncDisposable {
  private constructor(
    private readonly folder: string,
    private readonly ballast: string,
  ) {}

  /**
   * Mounts the file system.
   * @param size in bytes
   * @param aside subfolder for the file that fills up the disk
   * @returns null if this machine does not allow mounting
   */
  static async mount(folder: string, size: number, aside = "."): Promise<SmallDisk | null> {
    if (lacksMounts) return null;
    await mkdir(folder, { recursive: true });
    const flags = ["-t", "tmpfs", "-o", `size=${size}`, "fds-tests", folder];
    return (await run("mount", ...flags))
      ? new SmallDisk(folder, join(folder, aside, BALLAST))
      : null;
  }

  /** Fills the disk. @param left free bytes that remain, rounded up to whole pages */
  async fill(left: number): Promise<void> {
    // Other writes may take room meanwhile. Then fallocate fails, and is repeated with a new size.
    await waitFor(async () => {
      const { bavail, bsize } = await statfs(this.folder);
      const size = Math.max(1, bavail * bsize - left);
      return run("fallocate", "-l", String(size), this.ballast);
    }, "the disk to be filled up");
  }

  async free(): Promise<void> {
    await rm(this.ballast, { force: true });
  }

  /** Unmounts lazily, so that a file left open by a failed test does not keep the file system mounted. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!(await run("umount", "--lazy", this.folder))) {
      throw new Error(`unmount "${this.folder}" by hand`);
    }
  }
}
