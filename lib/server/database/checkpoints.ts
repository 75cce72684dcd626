import { Worker } from "node:worker_threads";

/**
 * After so many changes the log is moved to the database itself: some 16 MiB of it. The pages that
 * most changes have in common are written once for all of them.
 */
const MOVED_AFTER = 500;

/** How SQLite moves the log: with others writing meanwhile, or until nothing is left in it. */
type Mode = "PASSIVE" | "RESTART";

/**
 * Moves the log of a SQLite database to the database itself, in a thread of its own: with many rows
 * that takes long, and so do its flushes. The log begins anew where nothing is left in it, so changes
 * wait for the last of it, which is little.
 */
export class Checkpoints {
  #worker: Worker | undefined;
  #answer = Promise.withResolvers<number>();
  #changes = 0;
  #running: Promise<void> | undefined;
  #held: Promise<void> | undefined;

  /** @param path of the database */
  constructor(private readonly path: string) {}

  /** Where it is there, changes are to wait for it. */
  get held(): Promise<void> | undefined {
    return this.#held;
  }

  /** A change was made. */
  changed(): void {
    if (++this.#changes < MOVED_AFTER || this.#running) return;
    this.#changes = 0;
    this.#running = this.#move()
      // The log goes on growing, and is moved after as many changes again.
      .catch(() => undefined)
      .finally(() => (this.#running = undefined));
  }

  async close(): Promise<void> {
    await this.#running;
    await this.#worker?.terminate();
  }

  async #move(): Promise<void> {
    if ((await this.#ask("PASSIVE")) === 0) return;
    const moved = this.#ask("RESTART");
    this.#held = moved.then(
      () => undefined,
      () => undefined,
    );
    await this.#held;
    this.#held = undefined;
    await moved;
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
    // It keeps no program alive.
    worker.unref();
    return worker;
  }
}
