import { FdsError } from "../../protocol/errors.ts";

/** Maximum number of open event streams of one token. */
const MAX_OF_TOKEN = 200;
const MAX_IN_ALL = 1_000;

/** Counts the open event streams and limits their number, as each takes memory. */
export class OpenStreams {
  /**
   * The number of open streams of each token. The key is the token's name, or null for callers of a server
   * that needs no token.
   */
  readonly #ofToken = new Map<string | null, number>();
  #inAll = 0;

  /**
   * Counts a stream.
   * @param token name of the caller's token; null: the server needs no token
   * @returns a function to call when the stream has ended; further calls of it do nothing
   * @throws FdsError `rate_limited` when too many streams are open
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
