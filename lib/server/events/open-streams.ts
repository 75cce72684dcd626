import { FdsError } from "../../protocol/errors.ts";

/** Most open event streams: of one token, and in all. */
const MAX_OF_TOKEN = 200;
const MAX_IN_ALL = 1_000;

/** Counts open event streams, as each one holds memory for its reader. */
export class OpenStreams {
  /** By name of the token. */
  readonly #ofToken = new Map<string | null, number>();
  #inAll = 0;

  /**
   * Counts a stream.
   * @returns to be called when it has ended; further calls do nothing
   * @throws FdsError `rate_limited` when there are too many
   */
  add(token: string | null): () => void {
    const own = this.#ofToken.get(token) ?? 0;
    if (own >= MAX_OF_TOKEN) throw tooMany(`${own} streams of events are open with this token`);
    if (this.#inAll >= MAX_IN_ALL) throw tooMany(`${this.#inAll} streams of events are open`);
    this.#change(token, 1);
    let isOpen = true;
    return () => {
      if (isOpen) this.#change(token, -1);
      isOpen = false;
    };
  }

  #change(token: string | null, by: number): void {
    this.#inAll += by;
    const own = (this.#ofToken.get(token) ?? 0) + by;
    if (own > 0) this.#ofToken.set(token, own);
    else this.#ofToken.delete(token);
  }
}

function tooMany(what: string): FdsError {
  return new FdsError("rate_limited", `Close some of them first, ${what}`);
}
