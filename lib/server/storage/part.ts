import { FdsError } from "../../protocol/errors.ts";
import { systemCode } from "../../util/system-error.ts";
import type { Part } from "./storage.ts";

/**
 * Error codes for used-up disk space, quota or file descriptors. Such an error may pass, unlike EFBIG (the
 * file is too large).
 */
const FULL = new Set(["ENOSPC", "EDQUOT", "EMFILE", "ENFILE"]);

/**
 * Does work on the disk and converts its errors. REST shows these errors, so they contain the system's error
 * code but not its text, which names paths of this machine.
 * @param action what the work does, for the error message, such as `"write the part file"`
 * @throws FdsError `storage_full` or `storage_error`
 */
export async function onDisk<T>(action: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw problemOnDisk(action, cause);
  }
}

/** Converts an error of synchronous work on the disk, like {@link onDisk} does. */
export function problemOnDisk(action: string, cause: unknown): FdsError {
  if (cause instanceof FdsError) return cause;
  const errno = systemCode(cause) ?? "unexpected error";
  const code = FULL.has(errno) ? "storage_full" : "storage_error";
  return new FdsError(code, `cannot ${action}: ${errno}`, { cause });
}

/**
 * Number of written bytes after which a flush is due. A crash loses at most these bytes and those that arrive
 * during the flush.
 */
const CHECKPOINT_BYTES = 8 * 1024 * 1024;

/** The methods of an open file that a part needs. Node's FileHandle has all of them. */
export interface OpenFile {
  write(
    bytes: Uint8Array,
    from: number,
    length: number,
    at: number,
  ): Promise<{ bytesWritten: number }>;
  read(bytes: Uint8Array, from: number, length: number, at: number): Promise<{ bytesRead: number }>;
  truncate(size: number): Promise<void>;
  datasync(): Promise<void>;
  close(): Promise<void>;
}

/** A part stored in an open file. */
export class PartFile implements Part {
  readonly maxUnflushed = CHECKPOINT_BYTES;
  /**
   * Whether a flush has failed. The kernel may then have dropped unflushed bytes, and a later flush may not
   * report this loss.
   */
  private hasFlushFailed = false;

  /**
   * @param file the open file
   * @param length length of the file in bytes
   * @param nameFlushed resolves when the file's name in its folder is flushed
   * @param onClose called after the file is closed
   */
  constructor(
    private readonly file: OpenFile,
    private length: number,
    private readonly nameFlushed: Promise<void>,
    private readonly onClose: () => void = () => {},
  ) {
    // Avoids an unhandled rejection. The first flush awaits `named` and throws its error.
    nameFlushed.catch(() => undefined);
  }

  get size(): number {
    return this.length;
  }

  truncate(size: number): Promise<void> {
    return this.use("shorten the part file", async () => {
      // Never lengthens the file, because truncate() would add zeros.
      if (size >= this.length) return;
      await this.file.truncate(size);
      this.length = size;
    });
  }

  write(bytes: Uint8Array, offset: number): Promise<void> {
    return this.use("write the part file", async () => {
      for (let done = 0; done < bytes.length;) {
        const remaining = bytes.length - done;
        const { bytesWritten } = await this.file.write(bytes, done, remaining, offset + done);
        if (bytesWritten === 0) throw new Error("the system took no byte and gave no reason");
        done += bytesWritten;
        this.length = Math.max(this.length, offset + done);
      }
    });
  }

  read(offset: number, length: number): Promise<Uint8Array> {
    return this.use("read the part file", async () => {
      const bytes = new Uint8Array(length);
      let done = 0;
      while (done < length) {
        const { bytesRead } = await this.file.read(bytes, done, length - done, offset + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return bytes.subarray(0, done);
    });
  }

  sync(): Promise<void> {
    return this.use("flush the part file", async () => {
      try {
        await this.nameFlushed;
        await this.file.datasync();
      } catch (error) {
        this.hasFlushFailed = true;
        throw error;
      }
    });
  }

  async checkpoint(offset: number): Promise<number> {
    await this.sync();
    return offset;
  }

  close(): Promise<void> {
    return onDisk("close the part file", () => this.file.close()).finally(this.onClose);
  }

  private async use<T>(action: string, work: () => Promise<T>): Promise<T> {
    if (this.hasFlushFailed) {
      throw new FdsError("storage_error", `cannot ${action}: an earlier flush of it failed`);
    }
    return onDisk(action, work);
  }
}
