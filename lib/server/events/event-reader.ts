import { COMMENT } from "../../util/server-sent-events.ts";

/** When more things than this wait for a reader, it is too slow. */
const MAX_WAITING = 1000;

/** An event, made once for all readers. */
export interface Announcement {
  /** What it is about: a newer one takes its place where it still waits. */
  subject: string;
  /** Of which client. */
  clientId: string;
  /** As it is sent. */
  text: string;
  /** Nothing more will come about this subject. */
  final: boolean;
}

/**
 * What waits for one reader: about each subject only the newest, so that one who reads slowly is
 * told less often, and memory stays bounded. What is final is never lost: nothing newer comes.
 */
export class EventReader {
  readonly #waiting = new Map<string, string>();
  #wake = Promise.withResolvers<void>();
  #ended = false;
  /** It asked for more since it was last tended. */
  #alive = true;

  /**
   * @param subject the only one it hears of, up to its end; null: all
   * @param sites ids of the only clients it hears of; null: all
   */
  constructor(
    private readonly subject: string | null,
    private readonly sites: ReadonlySet<string> | null = null,
  ) {}

  /** True when nothing more will wait for it. */
  get ended(): boolean {
    return this.#ended;
  }

  offer({ subject, clientId, text, final }: Announcement): void {
    if (this.#ended || (this.subject !== null && this.subject !== subject)) return;
    if (this.sites?.has(clientId) === false) return;
    this.#add(subject, text);
    if (this.#waiting.size > MAX_WAITING) this.end();
    else if (final && this.subject !== null) this.#ended = true;
  }

  /** What waits, perhaps nothing. */
  take(): string {
    const text = [...this.#waiting.values()].join("");
    this.#waiting.clear();
    return text;
  }

  /** What waits, as soon as there is something; ends when nothing more will come. */
  async *news(): AsyncGenerator<string> {
    while (!this.#ended || this.#waiting.size > 0) {
      if (this.#waiting.size === 0) await this.#wake.promise;
      this.#wake = Promise.withResolvers();
      yield this.take();
    }
  }

  /** It took the last of what it was given, and asks for more. */
  asks(): void {
    this.#alive = true;
  }

  /** Called now and then: sends a comment, and gives up a reader that still has not taken the last. */
  tend(): void {
    if (this.#ended) return;
    if (!this.#alive) return this.end();
    this.#alive = false;
    this.#add("", COMMENT);
  }

  /** It is gone, or given up: what waits is dropped. */
  end(): void {
    this.#ended = true;
    this.#waiting.clear();
    this.#wake.resolve();
  }

  #add(subject: string, text: string): void {
    // Behind the others, so that the ids of what is sent only rise.
    this.#waiting.delete(subject);
    this.#waiting.set(subject, text);
    this.#wake.resolve();
  }
}
