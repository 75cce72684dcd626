import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { syncFolder } from "../../util/durable.ts";
import { SharedSync } from "../../util/shared-sync.ts";
import { systemCode } from "../../util/system-error.ts";

/**
 * The write-ahead log (WAL) of a SQLite database, to which every commit is appended. SQLite could flush it
 * at each commit (`synchronous = FULL`), but the event loop would wait for the disk meanwhile. With
 * `NORMAL` it orders its own flushes so that the database survives a power cut at any time; a caller whose
 * commit must survive one waits for {@link WriteAheadLog.flush}, off the event loop, and shares the flush
 * with others.
 */
export class WriteAheadLog {
  readonly #shared = new SharedSync(() => this.#sync());
  /** True after a failed flush: it is not known what the kernel did with the unflushed pages. */
  #inDoubt = false;

  private constructor(
    private readonly path: string,
    private readonly file: FileHandle,
    private readonly empty: () => void,
  ) {}

  /**
   * @param path of the log, which exists while the database is open. SQLite's locks are on other files, so
   *   opening and closing this one does no harm.
   * @param empty moves everything from the log to the database itself, and flushes that
   */
  static async open(path: string, empty: () => void): Promise<WriteAheadLog> {
    const file = await open(path, "r+");
    await syncFolder(dirname(path));
    return new WriteAheadLog(path, file, empty);
  }

  /**
   * Resolves when all commits before the call are on the disk.
   * @throws Error when one may not be; nothing but a power cut can undo it
   */
  flush(): Promise<void> {
    return this.#shared.flush(this.path);
  }

  async close(): Promise<void> {
    await this.file.close();
  }

  async #sync(): Promise<void> {
    try {
      // The kernel would report success for another flush, without writing what it could not write before;
      // and if one commit is missing, all later ones in the log are lost with it.
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
