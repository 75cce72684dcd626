import { appendFile, rename, stat } from "node:fs/promises";
import { SerialQueue } from "../../util/serial-queue.ts";
import { systemCode } from "../../util/system-error.ts";

export interface LineFileOptions {
  path: string;
  /** Size in bytes at which the file is rotated. */
  maxBytes: number;
  /** The number of rotated files to keep. The name of the latest one ends with `.1`. */
  keptFiles: number;
}

/**
 * A log file that only the client's own user may read. The file is rotated at a given size, and the oldest
 * rotated file is removed.
 */
export class LineFile {
  readonly #writing = new SerialQueue();

  constructor(private readonly options: LineFileOptions) {}

  get path(): string {
    return this.options.path;
  }

  /** Resolves when all appends so far are written, or have failed. */
  settled(): Promise<void> {
    return this.#writing.idle();
  }

  /**
   * Appends a line. Resolves when the line is written.
   * @param line without a newline
   * @throws an error of the system
   */
  append(line: string): Promise<void> {
    return this.#writing.run(() => this.#append(`${line}\n`));
  }

  async #append(text: string): Promise<void> {
    const { path, maxBytes, keptFiles } = this.options;
    if ((await sizeOf(path)) + Buffer.byteLength(text) > maxBytes) {
      for (let n = keptFiles; n > 0; n--) {
        await renameIfThere(n === 1 ? path : `${path}.${n - 1}`, `${path}.${n}`);
      }
    }
    await appendFile(path, text, { mode: 0o600 });
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return 0;
    throw error;
  }
}

async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
}
