import { Worker } from "node:worker_threads";
import { WaitingChanges } from "./waiting-changes.ts";

/**
 * Number of changes after which the write-ahead log is moved to the database file. The log then has about 16
 * MiB. Pages that were changed several times are written to the database file only once.
 */
const MOVE_AFTER_CHANGES = 500;

/**
 * SQLite's modes of a checkpoint. PASSIVE lets other statements write meanwhile. RESTART moves the whole log.
 */
type Mode = "PASSIVE" | "RESTART";

/**
 * Moves the write-ahead log of a SQLite database to the database file, in a separate thread, as this takes
 * long with many rows. SQLite reuses the log only when all of it has been moved. So if changes were made
 * during the move, further changes wait while the small rest is moved.
 */
export class Checkpoints {
  #worker: Worker | undefined;
  #answer = Promise.withResolvers<number>();
  #changes = 0;
  #running: Promise<void> | undefined;
  readonly #waiting = new WaitingChanges();

  /** Creates the checkpoints of a database. @param path path of the database file */
  constructor(private readonly path: string) {}

  /** Returns a promise that a change must await before it is made; undefined: the change need not wait. */
  takeTurn(): Promise<void> | undefined {
    return this.#waiting.takeTurn();
  }

  /** Counts a change, and starts a checkpoint after every {@link MOVE_AFTER_CHANGES} changes. */
  noteChange(): void {
    if (++this.#changes < MOVE_AFTER_CHANGES || this.#running) return;
    this.#changes = 0;
    this.#running = this.#move()
      // After an error, the log keeps growing. The next attempt to move it begins after `MOVE_AFTER_CHANGES`
      // further changes.
      .catch(() => undefined)
      .finally(() => (this.#running = undefined));
  }

  async close(): Promise<void> {
    await this.#running;
    await this.#worker?.terminate();
  }

  async #move(): Promise<void> {
    if ((await this.#checkpoint("PASSIVE")) === 0) return;
    this.#waiting.hold();
    try {
      await this.#checkpoint("RESTART");
    } finally {
      await this.#waiting.release();
    }
  }

  /** Runs a checkpoint in the worker thread. @returns the number of pages left in the log */
  #checkpoint(mode: Mode): Promise<number> {
    const worker = (this.#worker ??= this.#start());
    this.#answer = Promise.withResolvers();
    worker.postMessage(mode);
    return this.#answer.promise;
  }

  #start(): Worker {
    const worker = new Worker(new URL("./checkpoint-worker.ts", import.meta.url), {
      workerData: this.path,
    });
    worker.on("message", (pagesLeft: number) => this.#answer.resolve(pagesLeft));
    worker.on("error", (error) => {
      this.#worker = undefined;
      this.#answer.reject(error);
    });
    // The worker must not keep the process alive.
    worker.unref();
    return worker;
  }
}
