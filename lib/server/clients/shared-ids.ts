/** A machine's address and its hostname. */
export interface Machine {
  address: string;
  hostname: string;
}

/**
 * Time after which the problem of a shared id counts as over, in ms. Each of the two machines tries again
 * within 60 s and takes the id from the other one. After a longer pause, one of them has given up.
 */
const FORGOTTEN_AFTER_MS = 150_000;

interface SharedId {
  problem: string;
  /** When the problem was last noticed, by `performance.now`, in ms. */
  noticedAt: number;
  timer: Timer;
}

/**
 * The client ids that two machines use, for example after a disk was cloned. Each machine takes the id from
 * the other one again and again.
 */
export class SharedIds {
  readonly #shared = new Map<string, SharedId>();

  /** @param onForgotten called when the problem of a client id is over */
  constructor(private readonly onForgotten: (clientId: string) => void) {}

  /** Records that two machines use an id. @returns the problem as a sentence for people */
  notice(clientId: string, first: Machine, second: Machine): string {
    const problem = `two machines use this id: ${describe(first)} and ${describe(second)}`;
    clearTimeout(this.#shared.get(clientId)?.timer);
    const timer = setTimeout(() => {
      this.#shared.delete(clientId);
      this.onForgotten(clientId);
    }, FORGOTTEN_AFTER_MS).unref();
    this.#shared.set(clientId, { problem, noticedAt: performance.now(), timer });
    return problem;
  }

  /**
   * Returns the problem of an id as a sentence for people; null: there is none.
   * @param since time in ms of `performance.now`; a problem that was last noticed before that time is not
   * returned
   */
  problemOf(clientId: string, since = -Infinity): string | null {
    const shared = this.#shared.get(clientId);
    return shared && shared.noticedAt >= since ? shared.problem : null;
  }
}

function describe({ address, hostname }: Machine): string {
  return `"${hostname}" at ${address}`;
}
