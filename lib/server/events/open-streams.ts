import { FdsError } from "../../protocol/errors.ts";

/** Maximum number of open event streams of one token. */
const MAX_PER_TOKEN = 200;
const MAX_TOTAL = 1_000;

/** Counts the open event streams and limits their number, as each takes memory. */
export class OpenStreams {
  /**
   * The number of open streams of each token. The key is the token's name, or null for callers of a server
   * that needs no token.
   */
  readonly #countByToken = new Map<string | null, number>();
  #total = 0;

  /**
   * Counts a stream.
   * @param token name of the caller's token; null: the server needs no token
   * @returns a function to call when the stream has ended; further calls of it do nothing
   * @throws FdsError `rate_limited` when too many streams are open
   */
  add(token: string | null): () => void {
    const count = this.#countByToken.get(token) ?? 0;
    if (count >= MAX_PER_TOKEN)
      throw tooMany(`${count} streams of events are open with this token`);
    if (this.#total >= MAX_TOTAL) throw tooMany(`${this.#total} streams of events are open`);
    this.#change(token, 1);
    let isOpen = true;
    return () => {
      if (isOpen) this.#change(token, -1);
      isOpen = false;
    };
  }

  #change(token: string | null, delta: number): void {
    this.#total += delta;
    const count = (this.#countByToken.get(token) ?? 0) + delta;
    if (count > 0) this.#countByToken.set(token, count);
    else this.#countByToken.delete(token);
  }
}

function tooMany(what: string): FdsError {
  return new FdsError("rate_limited", `Close some of them first, ${what}`);
}
