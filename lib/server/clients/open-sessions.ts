import { FdsError } from "../../protocol/errors.ts";
import { pauses } from "../../util/fair-turns.ts";
import type { Session } from "./session.ts";

/** How often sessions are checked for dead peers and stalled downloads, in ms, on average. */
const TEND_INTERVAL_MS = 2_500;

/** All sessions with an open connection, registered or not. It checks each of them periodically. */
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

  /** Ends all sessions as the server stops; the clients come back. */
  close(): void {
    clearTimeout(this.#timer);
    this.endAll();
  }

  /** Ends the present sessions; the clients come back. */
  endAll(): void {
    for (const session of [...this.#sessions]) {
      session.end(new FdsError("shutting_down", "the server is restarting"));
    }
  }

  /** At random times: a client that knew the time could pretend to be busy just then. */
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
