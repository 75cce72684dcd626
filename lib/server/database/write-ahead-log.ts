import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { syncFolder } from "../../util/durable.ts";
import { SharedSync } from "../../util/shared-sync.ts";
import { systemCode } from "../../util/system-error.ts";

/**
 * The log of a SQLite database, to which every commit is appended (WAL). SQLite could flush it at
 * each commit (`synchronous = FULL`), but the event loop would wait for the disk meanwhile. With
 * `NORMAL` it orders its own flushes so that the database stays sound whenever the power goes, and
 * whoever needs a commit to outlive that waits for {@link WriteAheadLog.flush}: off the event loop,
 * and once for all who wait.
 */
export class WriteAheadLog {
  readonly #shared = new SharedSync(() => this.#sync());
  /** A flush failed: what the kernel did with the unflushed pages is not known. */
  #inDoubt = false;

  private constructor(
    private readonly path: string,
    private readonly file: FileHandle,
    private readonly empty: () => void,
  ) {}

  /**
   * @param path of the log, which is there as long as the database is open; SQLite's locks are on
   *   other files, so that to open this one and to close it does no harm
   * @param empty moves everything from the log to the database itself, and flushes that
   */
  static async open(path: string, empty: () => void): Promise<WriteAheadLog> {
    const file = await open(path, "r+");
    await syncFolder(dirname(path));
    return new WriteAheadLog(path, file, empty);
  }

  /**
   * Resolves when every commit before the call is on the disk.
   * @throws Error when one may not be: a power cut may undo it, nothing else does
   */
  flush(): Promise<void> {
    return this.#shared.flush(this.path);
  }

  async close(): Promise<void> {
    await this.file.close();
  }

  async #sync(): Promise<void> {
    try {
      // The kernel would say yes to another flush, without having written what it could not before:
      // and where a commit is missing, all that follow it in the log are lost with it.
      if (this.#inDoubt) this.empty();
      else await this.file.datasync();
      this.#inDoubt = false;
    } catch (cause) {
      this.#inDoubt = true;
      const why = systemCode(cause) ?? String(cause);
      throw new Error(`cannot flush the log of the database: ${why}`, { cause });
    }
  }
}
