import { steadyNow } from "../../util/steady-clock.ts";
import { Topic } from "../../util/topic.ts";
import { type Caller, canEnd } from "./caller.ts";

/**
 * Longest wait of setTimeout, in ms. If a caller's access ends only later, an open call of the caller is
 * ended after this time all the same, and the caller can call again.
 */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

interface OpenCall {
  caller: Caller;
  end: () => void;
}

/** Open calls whose responses are streams, such as events. A call is ended when its caller's access ends. */
export class OpenCalls {
  readonly #open = new Set<OpenCall>();
  /**
   * Published when this server has ended the access of some callers, so that other servers end the calls of
   * these callers, too.
   */
  readonly ended = new Topic();

  /** @param now returns the time, in ms since 1970 */
  constructor(private readonly now: () => number = steadyNow) {}

  /**
   * Adds an open call.
   * @param end ends the call's response
   * @returns a function to call when the response has ended by itself
   */
  add(caller: Caller, end: () => void): () => void {
    const call = { caller, end };
    this.#open.add(call);
    const { expiresAt } = caller;
    const timeoutMs =
      expiresAt === null ? null : Math.min(expiresAt - this.now(), LONGEST_TIMEOUT_MS);
    const timer = timeoutMs === null ? undefined : setTimeout(end, timeoutMs);
    return () => {
      clearTimeout(timer);
      this.#open.delete(call);
    };
  }

  /**
   * Ends the open calls of callers whose access this server has ended.
   * @param hasLostAccess reports whether a caller is one of them
   */
  end(hasLostAccess: (caller: Caller) => boolean): void {
    this.#end(hasLostAccess);
    this.ended.publish();
  }

  /**
   * Ends the open calls of callers whose access another server has ended.
   * @param stillHasAccess reports whether a caller still has access
   * @throws whatever `stillHasAccess` throws
   */
  async check(stillHasAccess: (caller: Caller) => Promise<boolean>): Promise<void> {
    const callers = new Map([...this.#open].map(({ caller }) => [accessKeyOf(caller), caller]));
    for (const [accessKey, caller] of callers) {
      if (!canEnd(caller) || (await stillHasAccess(caller))) continue;
      this.#end((other) => accessKeyOf(other) === accessKey);
    }
  }

  #end(hasLostAccess: (caller: Caller) => boolean): void {
    for (const { caller, end } of [...this.#open]) if (hasLostAccess(caller)) end();
  }
}

/**
 * Returns a text that is the same for two callers exactly if they use the same token and the same session.
 */
function accessKeyOf({ tokenHash, sessionHash }: Caller): string {
  return `${tokenHash} ${sessionHash}`;
}
