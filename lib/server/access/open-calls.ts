import { steadyNow } from "../../util/steady-clock.ts";
import { Topic } from "../../util/topic.ts";
import { type Caller, canEnd } from "./caller.ts";

/** setTimeout takes no longer wait, in ms; who is ended early can come back. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

interface OpenCall {
  caller: Caller;
  end: () => void;
}

/** The calls whose answer goes on, each to be ended when the right of its caller ends. */
export class OpenCalls {
  readonly #open = new Set<OpenCall>();
  /** The right of some callers ended here. */
  readonly ended = new Topic();

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

  /** The right of some callers ended: their calls end. */
  end(isMeant: (caller: Caller) => boolean): void {
    this.#end(isMeant);
    this.ended.publish();
  }

  /**
   * Ends those of callers whose right was ended by another server.
   * @throws whatever `isGood` throws
   */
  async check(isGood: (caller: Caller) => Promise<boolean>): Promise<void> {
    const callers = new Map([...this.#open].map(({ caller }) => [rightOf(caller), caller]));
    for (const [right, caller] of callers) {
      if (!canEnd(caller) || (await isGood(caller))) continue;
      this.#end((other) => rightOf(other) === right);
    }
  }

  #end(isMeant: (caller: Caller) => boolean): void {
    for (const { caller, end } of [...this.#open]) if (isMeant(caller)) end();
  }
}

/** What a caller may call by, as a key. */
function rightOf({ tokenHash, sessionHash }: Caller): string {
  return `${tokenHash} ${sessionHash}`;
}
