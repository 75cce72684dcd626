/** A machine's address, and its own name. */
export interface Machine {
  address: string;
  hostname: string;
}

/**
 * Time, in ms, after which the problem counts as over. Two machines with one id take it from each other
 * whenever one tries again, which is within 60 s; after a longer pause, one of them has given up.
 */
const FORGOTTEN_AFTER_MS = 150_000;

interface Shared {
  words: string;
  /** By `performance.now`. */
  noticedAt: number;
  timer: Timer;
}

/**
 * Ids that two machines use, for example after a disk was cloned. Each takes the id from the other, again
 * and again.
 */
export class SharedIds {
  readonly #shared = new Map<string, Shared>();

  /** @param onForgotten called when the problem is over */
  constructor(private readonly onForgotten: (clientId: string) => void) {}

  /** Records an occurrence. @returns it as a sentence */
  notice(clientId: string, first: Machine, second: Machine): string {
    const words = `two machines use this id: ${described(first)} and ${described(second)}`;
    clearTimeout(this.#shared.get(clientId)?.timer);
    const timer = setTimeout(() => {
      this.#shared.delete(clientId);
      this.onForgotten(clientId);
    }, FORGOTTEN_AFTER_MS).unref();
    this.#shared.set(clientId, { words, noticedAt: performance.now(), timer });
    return words;
  }

  /**
   * The problem of an id as a sentence for people; null: none.
   * @param since only if it was noticed since then, by `performance.now`
   */
  problemOf(clientId: string, since = -Infinity): string | null {
    const shared = this.#shared.get(clientId);
    return shared && shared.noticedAt >= since ? shared.words : null;
  }
}

function described({ address, hostname }: Machine): string {
  return `"${hostname}" at ${address}`;
}
