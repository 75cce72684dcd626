/**
 * Number of new objects after which garbage is collected. It is not lower, as a collection takes about 20 ms.
 */
const OBJECTS_PER_COLLECTION = 40_000;

/**
 * Runs a full garbage collection after every 40,000 new objects. It is meant for work whose many objects each
 * live for about a second. The runtime takes such objects for long-lived, and would let the heap triple
 * before it frees them.
 */
export class Garbage {
  #newObjects = 0;

  /** @param collect runs a full garbage collection */
  constructor(private readonly collect: () => void) {}

  /** Counts new objects, and collects garbage after every 40,000. */
  add(objects: number): void {
    this.#newObjects += objects;
    if (this.#newObjects < OBJECTS_PER_COLLECTION) return;
    this.#newObjects = 0;
    this.collect();
  }
}

/** Counts the new objects of the whole process, because the process has one heap. */
export const garbage = new Garbage(() => Bun.gc(true));
