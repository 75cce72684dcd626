import { FdsError } from "../../protocol/errors.ts";
import { pauses } from "../../util/fair-turns.ts";
import type { Session } from "./session.ts";

/** Average time between two checks for dead clients and stalled downloads, in ms. */
const CHECK_INTERVAL_MS = 2_500;

/** All sessions with an open connection, registered or not. Each session is checked periodically. */
export class OpenSessions {
  readonly #sessions = new Set<Session>();
  #timer = this.#checkLater();

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
  #checkLater(): Timer {
    return setTimeout(() => void this.#checkAll(), CHECK_INTERVAL_MS * (0.5 + Math.random()));
  }

  async #checkAll(): Promise<void> {
    this.#timer = this.#checkLater();
    const pause = pauses();
    for (const session of this.#sessions) {
      session.check();
      await pause();
    }
  }
}
