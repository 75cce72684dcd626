import { syncFolder } from "./durable.ts";

/**
 * Flushes folders, and shares one flush between all who want it at the same time. A caller who comes while
 * a flush runs gets the next one: the running one may have begun too early.
 */
export class SharedSync {
  readonly #running = new Map<string, Promise<void>>();
  readonly #next = new Map<string, Promise<void>>();

  constructor(
    private readonly sync: (path: string) => Promise<void> = (path) => syncFolder(path),
  ) {}

  /** Resolves when what was at the path at the time of the call is on the disk: every name in a folder. */
  flush(path: string): Promise<void> {
    const running = this.#running.get(path);
    if (!running) return this.#run(path);
    const waiting = this.#next.get(path);
    if (waiting) return waiting;
    const run = () => {
      this.#next.delete(path);
      return this.#run(path);
    };
    // An error of the running flush is told to its own callers.
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
