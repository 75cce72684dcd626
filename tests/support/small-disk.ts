import { mkdir, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { lacksMounts, run } from "./machine.ts";
import { waitFor } from "./wait.ts";

/** What takes the room up. */
const BALLAST = "ballast";

/** A disk of its own in memory, which can be filled up. */
export class SmallDisk implements AsyncDisposable {
  private constructor(
    private readonly folder: string,
    private readonly ballast: string,
  ) {}

  /**
   * @param size in bytes
   * @param aside a folder of the disk where what fills it up is in nobody's way
   * @returns null where this machine does not let us mount one
   */
  static async mount(folder: string, size: number, aside = "."): Promise<SmallDisk | null> {
    if (lacksMounts) return null;
    await mkdir(folder, { recursive: true });
    const flags = ["-t", "tmpfs", "-o", `size=${size}`, "fds-tests", folder];
    return (await run("mount", ...flags))
      ? new SmallDisk(folder, join(folder, aside, BALLAST))
      : null;
  }

  /** Takes all of the room but so many bytes, rounded up to pages. */
  async fill(left: number): Promise<void> {
    // What is written meanwhile takes room too, and there is too little for what was asked.
    await waitFor(async () => {
      const { bavail, bsize } = await statfs(this.folder);
      const size = Math.max(1, bavail * bsize - left);
      return run("fallocate", "-l", String(size), this.ballast);
    }, "the disk to be filled up");
  }

  async free(): Promise<void> {
    await rm(this.ballast, { force: true });
  }

  /** Lazily: what is still open on it, where a test failed, must not keep it mounted for ever. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!(await run("umount", "--lazy", this.folder))) {
      throw new Error(`unmount "${this.folder}" by hand`);
    }
  }
}
