/** The other side has this long, in ms, to show that somebody is still there. */
const ANSWER_WITHIN_MS = 5_000;

interface Question {
  nonce: string;
  onAnswer: () => void;
  timer: Timer;
}

/** Asks the other side of a connection whether it is still there: only that gives the word of a ping back. */
export class PresenceCheck {
  #question: Question | undefined;

  /** @param ping sends a ping that says a word */
  constructor(private readonly ping: (word: string) => void) {}

  /** Asks; one of the two is called, unless {@link stop} is called before. */
  ask({ onAnswer, onSilence }: { onAnswer: () => void; onSilence: () => void }): void {
    // Anew each time: what was sent before is no answer.
    const nonce = crypto.randomUUID();
    const timer = setTimeout(() => {
      this.stop();
      onSilence();
    }, ANSWER_WITHIN_MS);
    this.#question = { nonce, onAnswer, timer: timer.unref() };
    this.ping(nonce);
  }

  /** @param word what the ping said that a pong answers */
  answered(word: string): void {
    if (this.#question?.nonce !== word) return;
    const { onAnswer } = this.#question;
    this.stop();
    onAnswer();
  }

  /** Waits for no answer any more. */
  stop(): void {
    clearTimeout(this.#question?.timer);
    this.#question = undefined;
  }
}
