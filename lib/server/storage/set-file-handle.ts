import fs from "node:fs";
import type { OpenFile } from "./part.ts";

/** Maximum size of a synchronous write, in bytes. */
const MAX_SYNC_BYTES = 64 * 1024;

/**
 * A large file of a set, open for writing. System calls that take some microseconds are synchronous, because
 * a thread-pool call takes longer and a set may have many files.
 */
export class SetFileHandle implements OpenFile {
  private constructor(
    private readonly fd: number,
    private readonly onClosing: (closing: Promise<void>) => void,
  ) {}

  /**
   * Opens a file, synchronously.
   * @param onClosing called with a promise of the close, which must be awaited before the set is flushed. On
   *   some file systems, close(2) reports errors of earlier writes
   * @throws Error of the system
   */
  static open(
    path: string,
    flags: number,
    mode: number,
    onClosing: (closing: Promise<void>) => void,
  ): SetFileHandle {
    return new SetFileHandle(fs.openSync(path, flags, mode), onClosing);
  }

  /** Whether the file has other names, which are hard links to the same bytes. */
  get isLinked(): boolean {
    return fs.fstatSync(this.fd).nlink > 1;
  }

  /** Length of the file, in bytes. */
  get size(): number {
    return fs.fstatSync(this.fd).size;
  }

  async write(bytes: Uint8Array, from: number, length: number, at: number) {
    if (length <= MAX_SYNC_BYTES)
      return { bytesWritten: fs.writeSync(this.fd, bytes, from, length, at) };
    const bytesWritten = await asPromise<number>((callback) =>
      fs.write(this.fd, bytes, from, length, at, callback),
    );
    return { bytesWritten };
  }

  async read(bytes: Uint8Array, from: number, length: number, at: number) {
    const bytesRead = await asPromise<number>((callback) =>
      fs.read(this.fd, bytes, from, length, at, callback),
    );
    return { bytesRead };
  }

  truncate(size: number): Promise<void> {
    return asPromise((callback) => fs.ftruncate(this.fd, size, callback));
  }

  datasync(): Promise<void> {
    return asPromise((callback) => fs.fdatasync(this.fd, callback));
  }

  async close(): Promise<void> {
    this.onClosing(asPromise((callback) => fs.close(this.fd, callback)));
  }
}

/** Converts a system call with a callback to a promise. */
function asPromise<T = void>(
  call: (callback: (error: Error | null | undefined, result?: T) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, result) => (error ? reject(error) : resolve(result as T)));
  });
}
