import type { MiddlewareHandler } from "hono";
import { endpoints } from "../../api/endpoints.ts";
import { FdsError } from "../../protocol/errors.ts";
import type { RestEnv } from "./rest-env.ts";

/**
 * The REST calls that are being handled. A server that stops refuses new calls, which still arrive on open
 * connections, and lets the running ones end before it closes its database.
 */
export class RunningCalls {
  #count = 0;
  #isStopping = false;
  /** Resolves when the server stops and no call is running. */
  readonly #idle = Promise.withResolvers<void>();
  /** Rejects when the server no longer waits for the calls that are still running. */
  readonly #givenUp = Promise.withResolvers<never>();

  constructor() {
    // Avoids an unhandled rejection if no call is running. Each running call handles the rejection itself.
    this.#givenUp.promise.catch(() => undefined);
  }

  /**
   * Middleware that counts calls while they are handled.
   * @throws FdsError `unavailable` while the server stops, from the middleware
   */
  readonly counted: MiddlewareHandler<RestEnv> = async (c, next) => {
    // This call asks whether the process is alive, so it is answered also while the server stops.
    if (c.req.path === endpoints.live.path) return next();
    if (this.#isStopping) throw new FdsError("unavailable", "The server is stopping");
    this.#count++;
    try {
      await Promise.race([next(), this.#givenUp.promise]);
    } finally {
      this.#count--;
      this.#settle();
    }
  };

  /** Refuses new calls from now on. */
  refuse(): void {
    this.#isStopping = true;
    this.#settle();
  }

  /**
   * Refuses new calls, and waits until no call is running. Calls that are still running after the time limit
   * are answered `unavailable`.
   * @param limitMs time limit in ms
   */
  async end(limitMs: number): Promise<void> {
    this.refuse();
    const timer = setTimeout(() => {
      const message = "The server is stopping, and did not wait for the end of this call";
      this.#givenUp.reject(new FdsError("unavailable", message));
    }, limitMs);
    await this.#idle.promise;
    clearTimeout(timer);
  }

  #settle(): void {
    if (this.#isStopping && this.#count === 0) this.#idle.resolve();
  }
}
