import { dlopen } from "bun:ffi";
import { closeSync, openSync } from "node:fs";
import { mkdir, rm, truncate, writeFile } from "node:fs/promises";
import { run } from "./machine.ts";

/** ext4's FS_IOC_SHUTDOWN, and the way that not even its journal is written (NOLOGFLUSH). */
const SHUTDOWN = 0x8004_587dn;
const WITHOUT_JOURNAL = 2;

/** A disk in a file, with ext4 on it: its power can be cut, and what was not flushed is gone then. */
export class LoopDisk implements AsyncDisposable {
  private constructor(
    private readonly folder: string,
    private readonly image: string,
  ) {}

  /**
   * @param folder where it is mounted; the image lies beside it
   * @param size in bytes
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

  /** Cuts the power: nothing of what is not on the disk gets there, and every call fails from now on. */
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

  /** The power is back; nobody may have a file of it open. */
  async restorePower(): Promise<void> {
    await must("umount", this.folder);
    await this.#mount();
  }

  /** Lazily: what is still open on it, where a test failed, must not keep it mounted for ever. */
  async [Symbol.asyncDispose](): Promise<void> {
    await must("umount", "--lazy", this.folder);
    await rm(this.image);
  }

  /** Nothing is flushed by itself while a test runs, as little as the journal allows (commit). */
  #mount(): Promise<void> {
    return must("mount", "-o", "loop,commit=600", this.image, this.folder);
  }
}

async function must(command: string, ...flags: string[]): Promise<void> {
  if (!(await run(command, ...flags))) throw new Error(`failed: ${command} ${flags.join(" ")}`);
}
