/** Objects that may be made between two collections: a full one takes about 20 ms. */
const BETWEEN = 40_000;

/**
 * Collects the garbage of work that makes very many objects, each of which lives for about a second. The
 * runtime's own quick collections take those for long-lived ones, and it then waits until the heap has
 * grown to three times its size.
 */
export class Garbage {
  #made = 0;

  /** @param collect frees what nobody needs any more */
  constructor(private readonly collect: () => void) {}

  /** Counts objects that were made. */
  add(objects: number): void {
    this.#made += objects;
    if (this.#made < BETWEEN) return;
    this.#made = 0;
    this.collect();
  }
}

/** The garbage of the whole process. */
export const garbage = new Garbage(() => Bun.gc(true));
