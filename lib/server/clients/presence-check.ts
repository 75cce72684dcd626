/** Time within which the other side must answer a ping, in ms. */
const ANSWER_WITHIN_MS = 5_000;

interface Question {
  nonce: string;
  onAnswer: () => void;
  timer: Timer;
}

/**
 * Checks that the other side of a connection still answers. Only that side can return the nonce of a ping.
 */
export class PresenceCheck {
  #question: Question | undefined;

  /** @param ping sends a ping with a payload */
  constructor(private readonly ping: (word: string) => void) {}

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
    this.#question = { nonce, onAnswer, timer: timer.unref() };
    this.ping(nonce);
  }

  /** Handles a pong. @param word payload of the pong */
  answered(word: string): void {
    if (this.#question?.nonce !== word) return;
    const { onAnswer } = this.#question;
    this.stop();
    onAnswer();
  }

  /** Stops waiting for the answer. No callback is called. */
  stop(): void {
    clearTimeout(this.#question?.timer);
    this.#question = undefined;
  }
}
