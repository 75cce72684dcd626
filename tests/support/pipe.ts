import { closeSync, constants, openSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { spawn, spawnSync } from "./spawn.ts";
import { waitFor } from "./wait.ts";

/** Capacity of a pipe, in bytes. Further writes block until somebody reads. */
export const PIPE_BYTES = 64 * 1024;

/** Suffix for the names of tests that are skipped because /proc is missing; `""` on Linux. */
export const lacksPipes =
  process.platform === "linux" ? "" : " (needs Linux: /proc tells what was written)";

/** PIPE_BUF: writes up to this size are atomic, so a pipe with less room than this can count as full. */
const ATOMIC_BYTES = 4096;

interface Writer {
  pid: number;
  exitCode: number | null;
}

/** A named pipe for a program's output. Nothing is read until the test calls {@link read}. */
export class Pipe implements AsyncDisposable {
  /** Descriptor of the write end, to pass to the program as `stdout`. */
  readonly end: number;
  /** Descriptor that keeps a reader on the pipe, so that writes do not fail with EPIPE. */
  readonly #reader: number;
  #isOpen = true;

  /** Opens both ends of a named pipe. @param path of the pipe, removed by disposal */
  private constructor(private readonly path: string) {
    // The pipe is opened for reading and writing, because a read-only open would block until a writer opens
    // it.
    this.#reader = openSync(path, constants.O_RDWR);
    this.end = openSync(path, constants.O_WRONLY);
  }

  /** Makes a named pipe. @param folder in which the pipe is created */
  static make(folder: string): Pipe {
    const path = join(folder, `${Bun.randomUUIDv7()}.pipe`);
    spawnSync(["mkfifo", path]);
    return new Pipe(path);
  }

  /**
   * Waits until the program has filled the pipe or has ended. A test that reads only then is a slow reader.
   */
  async isFull(writer: Writer): Promise<void> {
    await waitFor(
      () => writer.exitCode !== null || written(writer.pid) > PIPE_BYTES - ATOMIC_BYTES,
      "the pipe to be full",
    );
  }

  /** Reads the pipe up to its end. */
  async read(): Promise<Uint8Array> {
    await using reader = spawn(["cat", this.path]);
    const chunks: Uint8Array[] = [];
    for await (const chunk of reader.stdout) {
      // `cat` has opened the pipe now. Closing this process's ends lets `cat` see the end of the data.
      this.leave();
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  /** Closes both ends, so that the pipe has no reader any more. */
  leave(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    closeSync(this.end);
    closeSync(this.#reader);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.leave();
    await rm(this.path, { force: true });
  }
}

/** Returns the number of bytes that a process has written in total. Infinity if it has ended. */
function written(pid: number): number {
  try {
    return Number(/^wchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, "utf8"))?.[1]);
  } catch {
    return Infinity;
  }
}
