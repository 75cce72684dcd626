import { steadyNow } from "../../util/steady-clock.ts";
import { Recent } from "../../util/recent.ts";
import { RateLimiter } from "../../util/rate-limiter.ts";
import type { Caller } from "../access/caller.ts";
import { networkOf } from "../access/remote-address.ts";
import { hashSecret } from "../access/secrets.ts";
import { UnknownToken } from "../access/tokens.ts";
import { RateLimited } from "./rate-limited.ts";

/** Wrong secrets from one address: this many in a row, then one more each half a minute. */
const WRONG_SECRETS = { burst: 10, everyMs: 30_000 };

/** Secrets that are remembered with their addresses: right ones, and as many wrong ones. */
const MAX_REMEMBERED = 10_000;

/** Slows addresses that guess secrets, by signing in or by an Authorization header. */
export class Guesses {
  readonly #tries: RateLimiter;
  /** Hashes of an address and a secret that it showed. */
  readonly #right = new Recent(MAX_REMEMBERED);
  readonly #wrong = new Recent(MAX_REMEMBERED);

  /** @param now ms, of a clock that nobody sets */
  constructor(now: () => number = steadyNow) {
    this.#tries = new RateLimiter(WRONG_SECRETS, now);
  }

  /**
   * A sign-in: each that fails counts.
   * @throws RateLimited where too many failed, before it is looked at; whatever `check` throws
   */
  async signIn(address: string, check: () => Promise<Caller>): Promise<Caller> {
    const network = networkOf(address);
    // Counted before the outcome is known: else many tries at once would pass.
    refuse(this.#tries.take(network), "too many sign-ins failed");
    const caller = await check();
    this.#tries.giveBack(network);
    return caller;
  }

  /**
   * A call with a token. Only a new one is a guess: whoever shows an old one again and again, as a
   * script may, keeps nobody else of the address out, and neither do strangers behind the same
   * proxy those whose token was right before.
   * @throws RateLimited where too many were wrong, before it is looked at; whatever `check` throws
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

/** @param wait ms; 0: go on */
function refuse(wait: number, reason: string): void {
  if (wait > 0) throw new RateLimited(wait, reason);
}
