import { syncFolder } from "./durable.ts";

/**
 * Flushes folders and the like, and shares a flush between all who want one at the same time. Whoever
 * comes while one runs gets the next: the running one may have begun too early for them.
 */
export class SharedSync {
  readonly #running = new Map<string, Promise<void>>();
  readonly #next = new Map<string, Promise<void>>();

  constructor(
    private readonly sync: (path: string) => Promise<void> = (path) => syncFolder(path),
  ) {}

  /** Resolves when what was at the path at the call is on the disk: of a folder, every name. */
  flush(path: string): Promise<void> {
    const running = this.#running.get(path);
    if (!running) return this.#run(path);
    const waiting = this.#next.get(path);
    if (waiting) return waiting;
    const run = () => {
      this.#next.delete(path);
      return this.#run(path);
    };
    // An error of that one is told to those who wait for it.
    const next = running.then(run, run);
    this.#next.set(path, next);
    return next;
  }

  #run(path: string): Promise<void> {
    const running = this.sync(path).finally(() => {
      if (this.#running.get(path) === running) this.#running.delete(path);
    });
    this.#running.set(path, running);
    return running;
  }
}
