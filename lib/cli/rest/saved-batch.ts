import fs from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { syncFolder } from "../../util/durable.ts";
import { fileSystemSync } from "../../util/file-system-sync.ts";
import { takeName } from "./save-content.ts";
import type { StoredFile } from "./stored-file.ts";

/** The number of files at which a batch is flushed. */
const MAX_FILES = 2_000;
/** The number of bytes at which a batch is flushed. */
const MAX_BYTES = 256 * 1024 * 1024;

/** A file that is written, but not yet flushed to the disk. */
export interface WrittenFile {
  stored: StoredFile;
  /** The temporary path at which the file was written. */
  part: string;
  /** The file's final path. */
  path: string;
}

export interface SavedBatchOptions<F extends WrittenFile> {
  /** An existing folder on the same disk as the files. */
  folder: string;
  /** Called for a file once its bytes and its final name are flushed to the disk. */
  onSaved: (file: F) => void;
  /** Called for a file that could not get its final name. */
  onProblem: (file: F, error: unknown) => void;
}

/**
 * Flushes many files together, then gives them their final names. Flushing each file alone would take far
 * longer.
 */
export class SavedBatch<F extends WrittenFile> implements Disposable {
  #files: F[] = [];
  #bytes = 0;
  /**
   * The descriptor for syncfs(2), which reports only errors that occur after the descriptor was opened. So
   * the folder is opened before the first write. null on systems without syncfs.
   */
  readonly #fd: number | null;

  constructor(private readonly options: SavedBatchOptions<F>) {
    this.#fd = process.platform === "linux" ? fs.openSync(options.folder, "r") : null;
  }

  /** Adds a written file whose digest is right. The file's bytes need not be flushed yet. */
  async add(file: F): Promise<void> {
    this.#files.push(file);
    this.#bytes += file.stored.size;
    if (this.#files.length >= MAX_FILES || this.#bytes >= MAX_BYTES) await this.publish();
  }

  /** Flushes the files of the batch, gives them their final names, and flushes the names. */
  async publish(): Promise<void> {
    const files = this.#files;
    this.#files = [];
    this.#bytes = 0;
    if (files.length === 0) return;
    if (!(await this.#flushAll())) for (const { part } of files) await flushFile(part);
    const renamed: F[] = [];
    for (const file of files) {
      try {
        await takeName(file.part, file.path, file.stored);
        renamed.push(file);
      } catch (error) {
        this.options.onProblem(file, error);
      }
    }
    if (!(await this.#flushAll())) {
      for (const folder of new Set(renamed.map(({ path }) => dirname(path))))
        await syncFolder(folder);
    }
    for (const file of renamed) this.options.onSaved(file);
  }

  [Symbol.dispose](): void {
    if (this.#fd !== null) fs.closeSync(this.#fd);
  }

  /** Flushes the whole file system. @returns false on systems without syncfs(2) */
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
