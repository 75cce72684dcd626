import { FdsError } from "../../protocol/errors.ts";
import { pauses } from "../../util/fair-turns.ts";
import type { Session } from "./session.ts";

/** How often dead peers and stalled downloads are looked for, in ms, on average. */
const TEND_INTERVAL_MS = 2_500;

/** All sessions whose connection is open, registered or not. Looks after each of them now and then. */
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

  /** Ends them all: the server goes away, clients are to come back. */
  close(): void {
    clearTimeout(this.#timer);
    this.endAll();
  }

  /** Ends those that there are now: clients are to come back. */
  endAll(): void {
    for (const session of [...this.#sessions]) {
      session.end(new FdsError("shutting_down", "the server is restarting"));
    }
  }

  /** At times that nobody knows: a client that did could seem to be busy just then. */
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
