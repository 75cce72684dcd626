/** Time for long work in one round of the event loop, in ms. Calls and timers wait meanwhile. */
const ROUND_MS = 2;

/** The real setImmediate, kept before a test puts fake timers in its place. */
const atNextRound = setImmediate;

/** Runs a piece of long work when its turn comes. @returns what the piece gives */
export type InTurn = <T>(piece: () => Promise<T>) => Promise<T>;

/** Runs a piece at once: for work that is known to be short. */
export const atOnce: InTurn = (piece) => piece();

/**
 * Runs long work of many owners in pieces of a millisecond or so, one at a time. The owners take turns,
 * so one who asks for much waits longer than one who asks for little. Everything else runs between the
 * rounds of the event loop.
 */
export class FairTurns {
  /** Waiting pieces by owner. An owner who had a turn moves to the end. */
  readonly #lines = new Map<string, (() => Promise<void>)[]>();
  #isRunning = false;
  /** When this round's time is over; null: no piece has begun in this round. */
  #roundEndsAt: number | null = null;

  /** @param now ms, of a monotonic clock */
  constructor(private readonly now: () => number = performance.now.bind(performance)) {}

  /** How many pieces of an owner wait. */
  waitingOf(owner: string): number {
    return this.#lines.get(owner)?.length ?? 0;
  }

  /** Runs a piece once it is the owner's turn; pieces of one owner run in order. */
  run<T>(owner: string, piece: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const line = this.#lines.get(owner) ?? [];
      line.push(() => piece().then(resolve, reject));
      this.#lines.set(owner, line);
      if (!this.#isRunning) void this.#runAll();
    });
  }

  async #runAll(): Promise<void> {
    this.#isRunning = true;
    for (let next = this.#next(); next; next = this.#next()) {
      if (this.#roundEndsAt !== null && this.now() >= this.#roundEndsAt) await nextRound();
      this.#beginRound();
      await next();
    }
    this.#isRunning = false;
  }

  /** Takes the next owner's piece. */
  #next(): (() => Promise<void>) | undefined {
    const [first] = this.#lines;
    if (!first) return undefined;
    const [owner, line] = first;
    const piece = line.shift();
    this.#lines.delete(owner);
    if (line.length > 0) this.#lines.set(owner, line);
    return piece;
  }

  #beginRound(): void {
    if (this.#roundEndsAt !== null) return;
    this.#roundEndsAt = this.now() + ROUND_MS;
    atNextRound(() => (this.#roundEndsAt = null));
  }
}

/** Resolves once the event loop has done what else is due. */
export function nextRound(): Promise<void> {
  return new Promise((resolve) => atNextRound(resolve));
}

/**
 * For a loop that may be long: call the result in each step. It waits for the next round where this one has
 * had its time.
 */
export function pauses(now: () => number = performance.now.bind(performance)): () => Promise<void> {
  let endsAt = now() + ROUND_MS;
  return async () => {
    if (now() < endsAt) return;
    await nextRound();
    endsAt = now() + ROUND_MS;
  };
}
