import { syncFolder } from "../../util/durable.ts";

/**
 * Flushes folders, and shares a flush between all who want one at the same time: whoever comes
 * while one runs, which may have begun too early for them, has the next.
 */
export class SharedSync {
  readonly #running = new Map<string, Promise<void>>();
  readonly #next = new Map<string, Promise<void>>();

  constructor(
    private readonly sync: (folder: string) => Promise<void> = (folder) => syncFolder(folder),
  ) {}

  /** Resolves when every name that the folder had at the call is on the disk. */
  flush(folder: string): Promise<void> {
    const running = this.#running.get(folder);
    if (!running) return this.#run(folder);
    const waiting = this.#next.get(folder);
    if (waiting) return waiting;
    const run = () => {
      this.#next.delete(folder);
      return this.#run(folder);
    };
    // An error of that one is told to those who wait for it.
    const next = running.then(run, run);
    this.#next.set(folder, next);
    return next;
  }

  #run(folder: string): Promise<void> {
    const running = this.sync(folder).finally(() => {
      if (this.#running.get(folder) === running) this.#running.delete(folder);
    });
    this.#running.set(folder, running);
    return running;
  }
}
