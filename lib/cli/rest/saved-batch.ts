import fs from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { syncFolder } from "../../util/durable.ts";
import { fileSystemSync } from "../../util/file-system-sync.ts";
import { takeName } from "./save-content.ts";
import type { StoredFile } from "./stored-file.ts";

/** Files or bytes at which a batch is flushed. */
const MAX_FILES = 2_000;
const MAX_BYTES = 256 * 1024 * 1024;

/** A file that is written but not flushed. */
export interface WrittenFile {
  stored: StoredFile;
  /** Path of the file as it was written, and its final path. */
  part: string;
  path: string;
}

export interface SavedBatchOptions<F extends WrittenFile> {
  /** An existing folder on the disk of the files. */
  folder: string;
  /** Called for a file that has its final name, when both are flushed. */
  onSaved: (file: F) => void;
  /** Called for a file that could not get its final name. */
  onProblem: (file: F, error: unknown) => void;
}

/**
 * Flushes many files together, then gives them their final names. A flush for each would take far longer.
 */
export class SavedBatch<F extends WrittenFile> implements Disposable {
  #files: F[] = [];
  #bytes = 0;
  /** Opened before the first byte is written, so that a flush reports all errors since then. */
  readonly #fd: number | null;

  constructor(private readonly options: SavedBatchOptions<F>) {
    this.#fd = process.platform === "linux" ? fs.openSync(options.folder, "r") : null;
  }

  /** Adds a file whose digest was right. Its bytes need not be flushed yet. */
  async add(file: F): Promise<void> {
    this.#files.push(file);
    this.#bytes += file.stored.size;
    if (this.#files.length >= MAX_FILES || this.#bytes >= MAX_BYTES) await this.publish();
  }

  /** Flushes the batch, and gives the files their names. */
  async publish(): Promise<void> {
    const files = this.#files;
    this.#files = [];
    this.#bytes = 0;
    if (files.length === 0) return;
    if (!(await this.#flushAll())) for (const { part } of files) await flushFile(part);
    const named: F[] = [];
    for (const file of files) {
      try {
        await takeName(file.part, file.path, file.stored);
        named.push(file);
      } catch (error) {
        this.options.onProblem(file, error);
      }
    }
    if (!(await this.#flushAll())) {
      for (const folder of new Set(named.map(({ path }) => dirname(path))))
        await syncFolder(folder);
    }
    for (const file of named) this.options.onSaved(file);
  }

  [Symbol.dispose](): void {
    if (this.#fd !== null) fs.closeSync(this.#fd);
  }

  /** @returns false on systems without syncfs(2) */
  async #flushAll(): Promise<boolean> {
    return this.#fd !== null && (await fileSystemSync.flush(this.#fd));
  }
}

async function flushFile(path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
