import { steadyNow } from "../../util/steady-clock.ts";
import { Recent } from "../../util/recent.ts";
import { RateLimiter } from "../../util/rate-limiter.ts";
import { FdsError } from "../../protocol/errors.ts";
import type { Caller } from "../access/caller.ts";
import { networkOf } from "../access/remote-address.ts";
import { hashSecret } from "../access/secrets.ts";
import { UnknownToken } from "../access/tokens.ts";
import { RateLimited } from "./rate-limited.ts";

/** Rate limit for wrong secrets from one address: 10 at once, then one more every 30 s. */
const WRONG_SECRETS = { burst: 10, everyMs: 30_000 };

/**
 * Limit on the remembered pairs of secret and address: this many for right secrets, and as many for wrong
 * ones.
 */
const MAX_REMEMBERED = 10_000;

/** Slows down addresses that guess secrets, by sign-ins or by Authorization headers. */
export class Guesses {
  readonly #tries: RateLimiter;
  /**
   * Hashes of pairs of an address and a secret that was sent from there, separately for right and wrong
   * secrets.
   */
  readonly #right = new Recent(MAX_REMEMBERED);
  readonly #wrong = new Recent(MAX_REMEMBERED);
  /** Sign-ins whose result is not known yet. The key is what {@link networkOf} returns. */
  readonly #checks = new Map<string, Set<Promise<unknown>>>();

  /** Creates the limits. @param now returns ms of a monotonic clock */
  constructor(now: () => number = steadyNow) {
    this.#tries = new RateLimiter(WRONG_SECRETS, now);
  }

  /**
   * Runs the check of a sign-in. Each sign-in with a wrong secret counts as a guess from its address.
   * @throws RateLimited after too many failures, without running the check; errors of `check`
   */
  async signIn(address: string, check: () => Promise<Caller>): Promise<Caller> {
    const network = networkOf(address);
    // A sign-in is counted before its result is known. Otherwise, many sign-ins at the same time would all be
    // checked.
    for (let wait = this.#tries.take(network); wait > 0; wait = this.#tries.take(network)) {
      const checks = this.#checks.get(network);
      if (!checks) throw new RateLimited(wait, "too many sign-ins failed");
      // Waits for running sign-ins, as those that succeed are not counted in the end.
      await Promise.race(checks);
    }
    const checks = this.#checks.get(network) ?? new Set();
    const checked = this.#countFailure(network, check());
    const settled = checked.catch(() => undefined);
    this.#checks.set(network, checks.add(settled));
    try {
      return await checked;
    } finally {
      checks.delete(settled);
      if (checks.size === 0) this.#checks.delete(network);
    }
  }

  async #countFailure(network: string, check: Promise<Caller>): Promise<Caller> {
    try {
      const caller = await check;
      this.#tries.giveBack(network);
      return caller;
    } catch (error) {
      // Any other error, such as an unreachable database, does not count as a wrong guess.
      if (!isRefusal(error)) this.#tries.giveBack(network);
      throw error;
    }
  }

  /**
   * Runs the check of a call's token. Only a token that the server does not know, and that the address has
   * not sent before, counts as a guess. So a script that keeps sending an ended token does not lock out other
   * callers at its address. Callers whose token was right before are not locked out by strangers behind the
   * same proxy.
   * @throws RateLimited after too many wrong tokens, without running the check; errors of `check`
   */
  async call(address: string, token: string, check: () => Promise<Caller>): Promise<Caller> {
    const network = networkOf(address);
    const hash = hashSecret(`${network} ${token}`);
    if (!this.#right.has(hash) && !this.#wrong.has(hash)) {
      requireNoWait(this.#tries.waitOf(network), "too many tokens were wrong");
    }
    try {
      const caller = await check();
      this.#right.add(hash);
      return caller;
    } catch (error) {
      if (error instanceof UnknownToken && this.#wrong.add(hash)) this.#tries.take(network);
      throw error;
    }
  }
}

/** Reports whether an error means that a secret is wrong. */
function isRefusal(error: unknown): boolean {
  return error instanceof FdsError && error.code === "unauthorized";
}

/**
 * Throws an error if the caller must wait.
 * @param wait time until the next try, in ms; 0: the caller need not wait
 * @throws RateLimited
 */
function requireNoWait(wait: number, reason: string): void {
  if (wait > 0) throw new RateLimited(wait, reason);
}
