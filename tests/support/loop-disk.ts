import { dlopen } from "bun:ffi";
import { closeSync, openSync } from "node:fs";
import { mkdir, rm, truncate, writeFile } from "node:fs/promises";
import { run } from "./machine.ts";

/** The ioctl FS_IOC_SHUTDOWN of ext4, and its flag NOLOGFLUSH, which discards the journal too. */
const SHUTDOWN = 0x8004_587dn;
const WITHOUT_JOURNAL = 2;

/** An ext4 file system in a file. A simulated power cut discards everything that was not flushed. */
export class LoopDisk implements AsyncDisposable {
  private constructor(
    private readonly folder: string,
    private readonly image: string,
  ) {}

  /**
   * Creates and mounts the file system.
   * @param folder the mount point; the image file gets the same name with the suffix `.ext4`
   * @param size of the image, in bytes
   */
  static async mount(folder: string, size: number): Promise<LoopDisk> {
    const image = `${folder}.ext4`;
    await mkdir(folder, { recursive: true });
    await writeFile(image, "");
    await truncate(image, size);
    await must("mkfs.ext4", "-q", "-F", image);
    const disk = new LoopDisk(folder, image);
    await disk.#mount();
    return disk;
  }

  /** Cuts the power: unflushed data is lost, and every later file system call fails. */
  cutPower(): void {
    const libc = dlopen("libc.so.6", {
      ioctl: { args: ["int", "u64", "ptr"], returns: "int" },
    });
    const folder = openSync(this.folder, "r");
    try {
      if (libc.symbols.ioctl(folder, SHUTDOWN, new Uint32Array([WITHOUT_JOURNAL])) !== 0) {
        throw new Error(`the disk at "${this.folder}" cannot be shut down`);
      }
    } finally {
      closeSync(folder);
      libc.close();
    }
  }

  /** Mounts the file system again after a power cut. All its files must be closed. */
  async restorePower(): Promise<void> {
    await must("umount", this.folder);
    await this.#mount();
  }

  /** Unmounts lazily, so that a file left open by a failed test does not keep the file system mounted. */
  async [Symbol.asyncDispose](): Promise<void> {
    await must("umount", "--lazy", this.folder);
    await rm(this.image);
  }

  /**
   * Mounts with the longest commit interval, 600 s, so that ext4 flushes nothing on its own during a test.
   */
  #mount(): Promise<void> {
    return must("mount", "-o", "loop,commit=600", this.image, this.folder);
  }
}

async function must(command: string, ...flags: string[]): Promise<void> {
  if (!(await run(command, ...flags))) throw new Error(`failed: ${command} ${flags.join(" ")}`);
}
