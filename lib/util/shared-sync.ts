import { syncFolder } from "./durable.ts";

/**
 * Flushes folders to the disk, with one flush for all callers that wait for the same folder. A caller that
 * comes while a flush runs waits for the next flush, as the running one may have begun before the caller's
 * change.
 */
export class SharedSync {
  readonly #running = new Map<string, Promise<void>>();
  readonly #next = new Map<string, Promise<void>>();

  constructor(
    private readonly sync: (path: string) => Promise<void> = (path) => syncFolder(path),
  ) {}

  /** Resolves when all names that the folder had at the time of the call are on the disk. */
  flush(path: string): Promise<void> {
    const running = this.#running.get(path);
    if (!running) return this.#run(path);
    const waiting = this.#next.get(path);
    if (waiting) return waiting;
    const run = () => {
      this.#next.delete(path);
      return this.#run(path);
    };
    // The next flush also runs if the running one fails. That error goes only to the callers of the failed
    // flush.
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
