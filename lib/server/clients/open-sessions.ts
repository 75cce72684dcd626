import { FdsError } from "../../protocol/errors.ts";
import { pauses } from "../../util/fair-turns.ts";
import type { Session } from "./session.ts";

/** Average time between two checks for dead clients and stalled downloads, in ms. */
const TEND_INTERVAL_MS = 2_500;

/** All sessions with an open connection, registered or not. Each session is checked periodically. */
export class OpenSessions {
  readonly #sessions = new Set<Session>();
  #timer = this.#tendLater();

  add(session: Session): void {
    this.#sessions.add(session);
  }

  delete(session: Session): void {
    this.#sessions.delete(session);
  }

  has(session: Session): boolean {
    return this.#sessions.has(session);
  }

  /** Ends all sessions and stops the checks, because the server stops. The clients connect again later. */
  close(): void {
    clearTimeout(this.#timer);
    this.endAll();
  }

  /** Ends all sessions. The clients connect again. */
  endAll(): void {
    for (const session of [...this.#sessions]) {
      session.end(new FdsError("shutting_down", "the server is restarting"));
    }
  }

  /**
   * Checks all sessions after a random time. If a client knew the time, it could pretend to be active just
   * then.
   */
  #tendLater(): Timer {
    return setTimeout(() => void this.#tend(), TEND_INTERVAL_MS * (0.5 + Math.random()));
  }

  async #tend(): Promise<void> {
    this.#timer = this.#tendLater();
    const pause = pauses();
    for (const session of this.#sessions) {
      session.tend();
      await pause();
    }
  }
}
