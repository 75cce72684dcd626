import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { syncFolder } from "../../util/durable.ts";
import { SharedSync } from "../../util/shared-sync.ts";
import { systemCode } from "../../util/system-error.ts";

/**
 * The write-ahead log (WAL) of a SQLite database, to which every commit is appended. With `synchronous =
 * FULL`, SQLite would flush the log at each commit, and the event loop would wait for the disk. With
 * `NORMAL`, the database stays intact after a power cut, but the latest commits may be lost. So a caller
 * whose commit must survive waits for {@link WriteAheadLog.flush}, which runs outside the event loop and
 * serves all waiting callers at once.
 */
export class WriteAheadLog {
  readonly #sharedSync = new SharedSync(() => this.#sync());
  /** Whether the last flush failed. Then it is not known whether the kernel still has the unflushed pages. */
  #lastFlushFailed = false;

  private constructor(
    private readonly path: string,
    private readonly file: FileHandle,
    private readonly emptyLog: () => void,
  ) {}

  /**
   * Opens the log.
   * @param path path of the log, which exists while the database is open. SQLite's locks are on other files,
   *   so opening and closing the log does not release them.
   * @param emptyLog moves everything from the log to the database file, and flushes that file
   */
  static async open(path: string, emptyLog: () => void): Promise<WriteAheadLog> {
    const file = await open(path, "r+");
    await syncFolder(dirname(path));
    return new WriteAheadLog(path, file, emptyLog);
  }

  /**
   * Resolves when all commits before the call are on the disk.
   * @throws Error if this is not certain; even then, only a power cut can undo them
   */
  flush(): Promise<void> {
    return this.#sharedSync.flush(this.path);
  }

  async close(): Promise<void> {
    await this.file.close();
  }

  async #sync(): Promise<void> {
    try {
      // After a failed flush, the kernel would report success for the next flush without having written the
      // failed pages, and one missing commit would make all later ones in the log unreadable. So everything
      // is moved from the log to the database file.
      if (this.#lastFlushFailed) this.emptyLog();
      else await this.file.datasync();
      this.#lastFlushFailed = false;
    } catch (cause) {
      this.#lastFlushFailed = true;
      const why = systemCode(cause) ?? String(cause);
      throw new Error(`cannot flush the log of the database: ${why}`, { cause });
    }
  }
}
