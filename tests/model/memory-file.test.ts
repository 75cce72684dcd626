import { appendFile, mkdtemp, open, rename, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Roots } from "../../lib/client/owner-rules/roots.ts";
import { readAt } from "../../lib/client/block-reader.ts";
import { waitFor } from "../support/wait.ts";
import {
  type ChangingFile,
  changingFileContract,
  type OpenedFile,
} from "./changing-file.contract.ts";
import { type Change, MemoryFile } from "./memory-file.ts";

/* Checks that the model's file in memory changes like a real file, as seen by the client's own code. */

changingFileContract("memory", async (size) => {
  const file = new MemoryFile(size);
  return {
    open: async () => {
      const { inode } = file;
      return inode && { identity: async () => inode.identity, bytes: async () => inode.bytes };
    },
    change: async (how) => file.change(how),
    [Symbol.asyncDispose]: async () => undefined,
  };
});

changingFileContract("disk", async (size) => {
  const folder = await mkdtemp(join(tmpdir(), "fds-changing-"));
  const file = new DiskFile(folder);
  await writeFile(file.path, Buffer.alloc(size, 1));
  return file;
});

class DiskFile implements ChangingFile {
  readonly path: string;
  readonly #open: { close(): Promise<void> }[] = [];

  constructor(private readonly folder: string) {
    this.path = join(folder, "file");
  }

  async open(): Promise<OpenedFile | null> {
    if (!(await Bun.file(this.path).exists())) return null;
    const file = await (await Roots.open([this.folder])).openFile("file");
    this.#open.push(file);
    return {
      identity: () => file.identity(),
      bytes: async () => {
        const { size } = await file.identity();
        return Uint8Array.from(await readAt(file, 0, Buffer.alloc(size)));
      },
    };
  }

  async change(how: Change): Promise<void> {
    await this.#tick();
    switch (how) {
      case "grow":
        return appendFile(this.path, "a line more");
      case "overwrite": {
        const handle = await open(this.path, "r+");
        await handle.write("X", 3);
        return handle.close();
      }
      case "shorten":
        return truncate(this.path, 50);
      case "replace":
        await writeFile(`${this.path}.new`, Buffer.alloc((await stat(this.path)).size, 2));
        return rename(`${this.path}.new`, this.path);
      case "delete":
        return rm(this.path);
    }
  }

  /** Waits until the file system's clock has passed the file's last change, so that times differ. */
  async #tick(): Promise<void> {
    const { ctimeNs } = await stat(this.path, { bigint: true });
    const probe = join(this.folder, "probe");
    await waitFor(async () => {
      await writeFile(probe, "");
      return (await stat(probe, { bigint: true })).ctimeNs > ctimeNs;
    }, "the clock of the file system to go on");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of this.#open) await file.close();
    await rm(this.folder, { recursive: true });
  }
}
