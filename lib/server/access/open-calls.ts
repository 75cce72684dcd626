import { steadyNow } from "../../util/steady-clock.ts";
import { Topic } from "../../util/topic.ts";
import { type Caller, canEnd } from "./caller.ts";

/**
 * Longest wait of setTimeout, in ms. A caller whose access lasts longer is cut off then, and can call
 * again.
 */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

interface OpenCall {
  caller: Caller;
  end: () => void;
}

/** Calls whose answers go on, such as event streams. Each is ended when its caller's access ends. */
export class OpenCalls {
  readonly #open = new Set<OpenCall>();
  /** Published when this server has ended the access of some callers. */
  readonly ended = new Topic();

  /** @param now ms since 1970 */
  constructor(private readonly now: () => number = steadyNow) {}

  /** @param end ends the answer @returns to be called when the answer has ended by itself */
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

  /** Ends the calls of some callers, whose access has ended. */
  end(isMeant: (caller: Caller) => boolean): void {
    this.#end(isMeant);
    this.ended.publish();
  }

  /** Ends the calls of those whose access was ended by another server. @throws whatever `isGood` throws */
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

/** The credential of a caller, as a key. */
function rightOf({ tokenHash, sessionHash }: Caller): string {
  return `${tokenHash} ${sessionHash}`;
}
