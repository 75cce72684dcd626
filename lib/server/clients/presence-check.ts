/** Time within which the other side must answer a ping, in ms. */
const ANSWER_WITHIN_MS = 5_000;

interface PendingPing {
  nonce: string;
  onAnswer: () => void;
  timer: Timer;
}

/**
 * Checks that the other side of a connection still answers. Only that side can return the nonce of a ping.
 */
export class PresenceCheck {
  #pending: PendingPing | undefined;

  /** @param ping sends a ping with a payload */
  constructor(private readonly ping: (nonce: string) => void) {}

  /**
   * Sends a ping. Then calls `onAnswer` if the pong comes in time, otherwise `onSilence`. After {@link stop},
   * neither is called.
   */
  ask({ onAnswer, onSilence }: { onAnswer: () => void; onSilence: () => void }): void {
    // A new nonce each time, so that the pong to an earlier ping does not count as the answer.
    const nonce = crypto.randomUUID();
    const timer = setTimeout(() => {
      this.stop();
      onSilence();
    }, ANSWER_WITHIN_MS);
    this.#pending = { nonce, onAnswer, timer: timer.unref() };
    this.ping(nonce);
  }

  /** Handles a pong. @param payload payload of the pong */
  answered(payload: string): void {
    if (this.#pending?.nonce !== payload) return;
    const { onAnswer } = this.#pending;
    this.stop();
    onAnswer();
  }

  /** Stops waiting for the answer. No callback is called. */
  stop(): void {
    clearTimeout(this.#pending?.timer);
    this.#pending = undefined;
  }
}
