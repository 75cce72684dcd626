import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, open, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatSize } from "../../../lib/util/sizes.ts";
import { Failure } from "../../../lib/cli/program.ts";
import { logLines } from "./log-lines.ts";

const MiB = 1024 ** 2;

/** Content of a file: random bytes, which cannot be compressed, or lines of a log. */
export type Content = "random" | "logs";

/** A place for files: on the disk of the temporary folder, or in memory. */
export type PlaceName = "disk" | "memory";

/**
 * Size of the block that is repeated to make a file, in bytes. It is so large that no compressor of a chunk
 * finds the repetition.
 */
const BLOCK = 64 * MiB;

/** The block of each content, made at the first use. */
const BLOCKS: Readonly<Record<Content, () => Uint8Array>> = {
  random: once(() => randomBytes(BLOCK)),
  logs: once(() => logLines(BLOCK)),
};

/** Space that must stay free on the disk, in bytes. */
const RESERVE = 512 * MiB;

/** A folder on one file system, for all files of the bench that are written there. */
export class Place {
  readonly #made = new Map<string, Promise<string>>();

  constructor(readonly folder: string) {}

  /**
   * Returns the path of a file of this size, which is created at the first call.
   * @throws Failure if there is not enough space for the file and a copy
   */
  file(size: number, content: Content = "random"): Promise<string> {
    const path = join(this.folder, "data", `${content}-${size}.bin`);
    const made = this.#made.get(path) ?? this.#make(path, size, content);
    this.#made.set(path, made);
    return made;
  }

  async #make(path: string, size: number, content: Content): Promise<string> {
    await mkdir(join(this.folder, "data"), { recursive: true });
    const { bavail, bsize } = await statfs(this.folder);
    const needed = 2 * size + RESERVE;
    if (bavail * bsize < needed) {
      const free = formatSize(bavail * bsize);
      throw new Failure(
        `make room in "${this.folder}": ${formatSize(needed)} needed, ${free} free`,
      );
    }
    const block = BLOCKS[content]();
    const file = await open(path, "w");
    try {
      for (let left = size; left > 0; left -= block.length) {
        await file.writeFile(block.subarray(0, left));
      }
      // The file is flushed, so that the disk does not write it while something is measured.
      await file.sync();
    } finally {
      await file.close();
    }
    return path;
  }
}

/** The temporary folders of a run. Disposal removes them. */
export class Workspace implements AsyncDisposable {
  private constructor(readonly places: Record<PlaceName, Place>) {}

  /**
   * Creates the folders.
   * @throws Failure if the system has no /dev/shm
   */
  static async open(): Promise<Workspace> {
    const memory = "/dev/shm";
    if (!existsSync(memory)) throw new Failure(`run this on Linux: it needs /proc and "${memory}"`);
    const place = async (parent: string) => new Place(await mkdtemp(join(parent, "fds-bench-")));
    return new Workspace({ disk: await place(tmpdir()), memory: await place(memory) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { folder } of Object.values(this.places)) {
      await rm(folder, { recursive: true, force: true });
    }
  }
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}
