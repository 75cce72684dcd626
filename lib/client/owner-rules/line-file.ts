import { appendFile, rename, stat } from "node:fs/promises";
import { SerialQueue } from "../../util/serial-queue.ts";
import { systemCode } from "../../util/system-error.ts";

export interface LineFileOptions {
  path: string;
  /** Size in bytes at which the file is rotated. */
  maxBytes: number;
  /** How many earlier files are kept; `.1` is the latest. */
  older: number;
}

/**
 * A log file that only the program's user may read. It is rotated at a given size, and the oldest file is
 * removed.
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

  /** @param line without its end. Resolves when it is written. @throws an error of the disk */
  append(line: string): Promise<void> {
    return this.#writing.run(() => this.#append(`${line}\n`));
  }

  async #append(text: string): Promise<void> {
    const { path, maxBytes, older } = this.options;
    if ((await sizeOf(path)) + Buffer.byteLength(text) > maxBytes) {
      for (let n = older; n > 0; n--) {
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
