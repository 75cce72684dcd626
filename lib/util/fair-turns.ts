/** Longest time for work in one round of the event loop, in ms. Requests and timers wait meanwhile. */
const ROUND_MS = 2;

/** The real setImmediate, saved before a test replaces the global one by a fake timer. */
const atNextRound = setImmediate;

/**
 * Runs a piece of long work when the owner of the piece has its turn, see {@link FairTurns}.
 * @returns the result of the piece
 */
export type InTurn = <T>(piece: () => Promise<T>) => Promise<T>;

/** An {@link InTurn} that runs each piece immediately, for work that is known to be short. */
export const atOnce: InTurn = (piece) => piece();

/**
 * Runs the long work of many owners, such as API tokens, in pieces of about a millisecond, one at a time. The
 * owners take turns, so an owner with much work waits longer than one with little. The time for pieces in
 * each round of the event loop is limited, so that other requests and timers run in between.
 */
export class FairTurns {
  /** Waiting pieces by owner. After its turn, an owner moves to the end of the map. */
  readonly #queues = new Map<string, (() => Promise<void>)[]>();
  #isRunning = false;
  /**
   * Time after which no piece may begin in this round of the event loop, in ms of `now`; null if no piece ran
   * in this round yet.
   */
  #roundEndsAt: number | null = null;

  /** @param now returns ms of a monotonic clock */
  constructor(private readonly now: () => number = performance.now.bind(performance)) {}

  /** Returns the number of an owner's pieces that wait for their turn. */
  waitingOf(owner: string): number {
    return this.#queues.get(owner)?.length ?? 0;
  }

  /** Runs a piece when it is the owner's turn. Pieces of the same owner run in the order of the calls. */
  run<T>(owner: string, piece: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const queue = this.#queues.get(owner) ?? [];
      queue.push(() => piece().then(resolve, reject));
      this.#queues.set(owner, queue);
      if (!this.#isRunning) void this.#runAll();
    });
  }

  async #runAll(): Promise<void> {
    this.#isRunning = true;
    for (let piece = this.#takeNext(); piece; piece = this.#takeNext()) {
      if (this.#roundEndsAt !== null && this.now() >= this.#roundEndsAt) await nextRound();
      this.#beginRound();
      await piece();
    }
    this.#isRunning = false;
  }

  /** Removes and returns the first piece of the owner whose turn it is; undefined if no piece waits. */
  #takeNext(): (() => Promise<void>) | undefined {
    const [first] = this.#queues;
    if (!first) return undefined;
    const [owner, queue] = first;
    const piece = queue.shift();
    this.#queues.delete(owner);
    if (queue.length > 0) this.#queues.set(owner, queue);
    return piece;
  }

  #beginRound(): void {
    if (this.#roundEndsAt !== null) return;
    this.#roundEndsAt = this.now() + ROUND_MS;
    atNextRound(() => (this.#roundEndsAt = null));
  }
}

/** Resolves in the next round of the event loop, after other due callbacks have run. */
export function nextRound(): Promise<void> {
  return new Promise((resolve) => atNextRound(resolve));
}

/**
 * Returns a function to await in each step of a long loop. If the loop has run for 2 ms since it began or
 * last waited, the function waits for the next round of the event loop, otherwise it returns at once.
 */
export function pauses(now: () => number = performance.now.bind(performance)): () => Promise<void> {
  let endsAt = now() + ROUND_MS;
  return async () => {
    if (now() < endsAt) return;
    await nextRound();
    endsAt = now() + ROUND_MS;
  };
}
