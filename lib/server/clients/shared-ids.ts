/** Where a machine is, and what it calls itself. */
export interface Machine {
  address: string;
  hostname: string;
}

/**
 * Two machines that use one id take it from each other whenever one of them tries again, which is
 * within 60 s. When it has not happened for this time, in ms, one of them has given up.
 */
const FORGOTTEN_AFTER_MS = 150_000;

interface Shared {
  words: string;
  /** By `performance.now`. */
  noticedAt: number;
  timer: Timer;
}

/** Ids that two machines use, a cloned disk for one: each takes the id from the other, again and again. */
export class SharedIds {
  readonly #shared = new Map<string, Shared>();

  /** @param onForgotten called when it has not happened again */
  constructor(private readonly onForgotten: (clientId: string) => void) {}

  /** It happened. @returns it in words */
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
   * The problem of an id in words, for a person; null: none.
   * @param since only what was noticed then or later, by `performance.now`
   */
  problemOf(clientId: string, since = -Infinity): string | null {
    const shared = this.#shared.get(clientId);
    return shared && shared.noticedAt >= since ? shared.words : null;
  }
}

function described({ address, hostname }: Machine): string {
  return `"${hostname}" at ${address}`;
}
