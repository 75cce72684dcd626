/** How long the other side has to answer, in ms. */
const ANSWER_WITHIN_MS = 5_000;

interface Question {
  nonce: string;
  onAnswer: () => void;
  timer: Timer;
}

/** Checks that the other side of a connection is still there: only it can return the nonce of a ping. */
export class PresenceCheck {
  #question: Question | undefined;

  /** @param ping sends a ping with a payload */
  constructor(private readonly ping: (word: string) => void) {}

  /** Sends a ping. One of the two callbacks is called, unless {@link stop} comes first. */
  ask({ onAnswer, onSilence }: { onAnswer: () => void; onSilence: () => void }): void {
    // New each time, so that no earlier pong is taken for the answer.
    const nonce = crypto.randomUUID();
    const timer = setTimeout(() => {
      this.stop();
      onSilence();
    }, ANSWER_WITHIN_MS);
    this.#question = { nonce, onAnswer, timer: timer.unref() };
    this.ping(nonce);
  }

  /** @param word payload of a pong */
  answered(word: string): void {
    if (this.#question?.nonce !== word) return;
    const { onAnswer } = this.#question;
    this.stop();
    onAnswer();
  }

  /** Waits for the answer no longer. */
  stop(): void {
    clearTimeout(this.#question?.timer);
    this.#question = undefined;
  }
}
