import { steadyNow } from "../../util/steady-clock.ts";
import { Recent } from "../../util/recent.ts";
import { RateLimiter } from "../../util/rate-limiter.ts";
import { FdsError } from "../../protocol/errors.ts";
import type { Caller } from "../access/caller.ts";
import { networkOf } from "../access/remote-address.ts";
import { hashSecret } from "../access/secrets.ts";
import { UnknownToken } from "../access/tokens.ts";
import { RateLimited } from "./rate-limited.ts";

/** Wrong secrets from one address: this many at once, then one more each half a minute. */
const WRONG_SECRETS = { burst: 10, everyMs: 30_000 };

/** Secrets that are remembered with their addresses: this many right ones, and as many wrong ones. */
const MAX_REMEMBERED = 10_000;

/** Slows down addresses that guess secrets, by signing in or by an Authorization header. */
export class Guesses {
  readonly #tries: RateLimiter;
  /** Hashes of an address and a secret that it sent. */
  readonly #right = new Recent(MAX_REMEMBERED);
  readonly #wrong = new Recent(MAX_REMEMBERED);
  /** Sign-ins of each address whose result is not known yet. */
  readonly #checks = new Map<string, Set<Promise<unknown>>>();

  /** @param now ms, of a monotonic clock */
  constructor(now: () => number = steadyNow) {
    this.#tries = new RateLimiter(WRONG_SECRETS, now);
  }

  /**
   * A sign-in; each failure counts.
   * @throws RateLimited after too many failures, without a check; whatever `check` throws
   */
  async signIn(address: string, check: () => Promise<Caller>): Promise<Caller> {
    const network = networkOf(address);
    // Counted before the result is known, or many tries at the same time would pass.
    for (let wait = this.#tries.take(network); wait > 0; wait = this.#tries.take(network)) {
      const checks = this.#checks.get(network);
      if (!checks) throw new RateLimited(wait, "too many sign-ins failed");
      // Those that turn out right do not count.
      await Promise.race(checks);
    }
    const checks = this.#checks.get(network) ?? new Set();
    const checked = this.#checked(network, check());
    const known = checked.catch(() => undefined);
    this.#checks.set(network, checks.add(known));
    try {
      return await checked;
    } finally {
      checks.delete(known);
      if (checks.size === 0) this.#checks.delete(network);
    }
  }

  async #checked(network: string, check: Promise<Caller>): Promise<Caller> {
    try {
      const caller = await check;
      this.#tries.giveBack(network);
      return caller;
    } catch (error) {
      // While the database is away, nobody has guessed.
      if (!isRefusal(error)) this.#tries.giveBack(network);
      throw error;
    }
  }

  /**
   * A call with a token. Only a new token counts as a guess. So a script that keeps sending an old one does
   * not lock out others at its address, and strangers behind the same proxy do not lock out those whose
   * token was right before.
   * @throws RateLimited after too many wrong ones, without a check; whatever `check` throws
   */
  async call(address: string, token: string, check: () => Promise<Caller>): Promise<Caller> {
    const network = networkOf(address);
    const shown = hashSecret(`${network} ${token}`);
    if (!this.#right.has(shown) && !this.#wrong.has(shown)) {
      refuse(this.#tries.waitOf(network), "too many tokens were wrong");
    }
    try {
      const caller = await check();
      this.#right.add(shown);
      return caller;
    } catch (error) {
      if (error instanceof UnknownToken && this.#wrong.add(shown)) this.#tries.take(network);
      throw error;
    }
  }
}

/** Whether an error says that a secret is wrong. */
function isRefusal(error: unknown): boolean {
  return error instanceof FdsError && error.code === "unauthorized";
}

/** @param wait ms; 0: do not refuse */
function refuse(wait: number, reason: string): void {
  if (wait > 0) throw new RateLimited(wait, reason);
}
