import { steadyNow } from "../../util/steady-clock.ts";
import type { Caller } from "./caller.ts";

/** setTimeout takes no longer wait, in ms; who is ended early can come back. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

interface OpenCall {
  caller: Caller;
  end: () => void;
}

/** The calls whose answer goes on, each to be ended when the right of its caller ends. */
export class OpenCalls {
  readonly #open = new Set<OpenCall>();

  /** @param now ms since 1970 */
  constructor(private readonly now: () => number = steadyNow) {}

  /**
   * @param end ends the answer
   * @returns to be called when it has ended by itself
   */
  add(caller: Caller, end: () => void): () => void {
    const call = { caller, end };
    this.#open.add(call);
    const { expiresAt } = caller;
    const left = expiresAt === null ? null : Math.min(expiresAt - this.now(), LONGEST_TIMEOUT_MS);
    const timer = left === null ? undefined : setTimeout(end, left);
    return () => {
      clearTimeout(timer);
      this.#open.delete(call);
    };
  }

  /** Ends those of some callers. */
  end(isMeant: (caller: Caller) => boolean): void {
    for (const { caller, end } of [...this.#open]) if (isMeant(caller)) end();
  }
}
