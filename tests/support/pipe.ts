import { closeSync, constants, openSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { spawn, spawnSync } from "./spawn.ts";
import { waitFor } from "./wait.ts";

/** What a pipe takes before anybody reads it, in bytes; what is beyond that waits in its writer. */
export const PIPE_BYTES = 64 * 1024;

/** Why there are no such pipes here, to stand behind the name of a test; `""` where there are. */
export const lacksPipes =
  process.platform === "linux" ? "" : " (needs Linux: /proc tells what was written)";

/** Up to so many bytes go in one piece, and wait where there is room for a part of them. */
const ATOMIC_BYTES = 4096;

interface Writer {
  pid: number;
  exitCode: number | null;
}

/** A pipe as a shell makes it, for a program's output. Nobody reads it before the test says so. */
export class Pipe implements AsyncDisposable {
  /** For the program: `stdout: pipe.end`. */
  readonly end: number;
  /** As long as it is open the pipe has a reader, even if that reads nothing. */
  readonly #reader: number;
  #isOpen = true;

  /** @param path of its name, until it is disposed of */
  private constructor(private readonly path: string) {
    // For both directions, or it would wait for the other side.
    this.#reader = openSync(path, constants.O_RDWR);
    this.end = openSync(path, constants.O_WRONLY);
  }

  /** @param folder where its name may be */
  static make(folder: string): Pipe {
    const path = join(folder, `${Bun.randomUUIDv7()}.pipe`);
    spawnSync(["mkfifo", path]);
    return new Pipe(path);
  }

  /** Waits until the program has filled it, or has ended: a reader that begins now is late. */
  async isFull(writer: Writer): Promise<void> {
    await waitFor(
      () => writer.exitCode !== null || written(writer.pid) > PIPE_BYTES - ATOMIC_BYTES,
      "the pipe to be full",
    );
  }

  /** Reads it up to its end. */
  async read(): Promise<Uint8Array> {
    await using reader = spawn(["cat", this.path]);
    const chunks: Uint8Array[] = [];
    for await (const chunk of reader.stdout) {
      // From now on the reader keeps it, and sees where it ends.
      this.leave();
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  /** Nobody reads it any more. */
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

/** Bytes that a process has written in all; infinite when it has ended. */
function written(pid: number): number {
  try {
    return Number(/^wchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, "utf8"))?.[1]);
  } catch {
    return Infinity;
  }
}
