import { Worker } from "node:worker_threads";
import { WaitingChanges } from "./waiting-changes.ts";

/**
 * Number of changes after which the log is moved to the database: about 16 MiB. Pages that many changes
 * have in common are then written once.
 */
const MOVED_AFTER = 500;

/** SQLite's modes: while others go on writing, or until nothing is left in the log. */
type Mode = "PASSIVE" | "RESTART";

/**
 * Moves the log of a SQLite database to the database itself, in a thread of its own: with many rows it
 * takes long, and so do its flushes. The log only starts again once nothing is left in it, so changes wait
 * while the last, small rest is moved.
 */
export class Checkpoints {
  #worker: Worker | undefined;
  #answer = Promise.withResolvers<number>();
  #changes = 0;
  #running: Promise<void> | undefined;
  readonly #waiting = new WaitingChanges();

  /** @param path of the database */
  constructor(private readonly path: string) {}

  /** What a change has to wait for before it is made; undefined: nothing. */
  get turn(): Promise<void> | undefined {
    return this.#waiting.turn;
  }

  /** Counts a change. */
  changed(): void {
    if (++this.#changes < MOVED_AFTER || this.#running) return;
    this.#changes = 0;
    this.#running = this.#move()
      // The log keeps growing, and is moved after the same number of changes again.
      .catch(() => undefined)
      .finally(() => (this.#running = undefined));
  }

  async close(): Promise<void> {
    await this.#running;
    await this.#worker?.terminate();
  }

  async #move(): Promise<void> {
    if ((await this.#ask("PASSIVE")) === 0) return;
    this.#waiting.hold();
    try {
      await this.#ask("RESTART");
    } finally {
      await this.#waiting.release();
    }
  }

  /** @returns how many pages are left in the log */
  #ask(mode: Mode): Promise<number> {
    const worker = (this.#worker ??= this.#start());
    this.#answer = Promise.withResolvers();
    worker.postMessage(mode);
    return this.#answer.promise;
  }

  #start(): Worker {
    const worker = new Worker(new URL("./checkpoint-worker.ts", import.meta.url), {
      workerData: this.path,
    });
    worker.on("message", (left: number) => this.#answer.resolve(left));
    worker.on("error", (error) => {
      this.#worker = undefined;
      this.#answer.reject(error);
    });
    // Does not keep the program alive.
    worker.unref();
    return worker;
  }
}
