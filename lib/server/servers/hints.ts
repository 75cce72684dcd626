import type { Logger } from "../../util/logger.ts";
import type { ServerRows } from "./rows.ts";

/**
 * The kind of change about which a server tells other servers. `queue`: a client has a queued download.
 * `client`: a client registered, disconnected or changed. `download`, `job`: a row changed. `callers`: the
 * access of a token or session ended. `asked`: a request to list a folder waits for the server to which the
 * client is connected.
 */
export type HintKind = "queue" | "client" | "download" | "job" | "callers" | "asked";

/** Shortest time between two notifications that a server sends, in ms. */
const EVERY_MS = 100;
/** Delay until the next try to listen for notifications, in ms, after the database could not be reached. */
const LISTEN_AGAIN_MS = 1_000;
/** A server must receive its own notifications within this time, in ms, or its connection counts as dead. */
const ECHO_MS = 5_000;
/** Limit on the bytes of a notification, below the 8,000 bytes that Postgres allows. */
const MAX_BYTES = 7_500;
/**
 * Notification that is sent instead of the ids of changed rows, if these are too many. A server that receives
 * it checks all rows.
 */
const ANYTHING_CHANGED = "*";

export interface HintsOptions {
  rows: Pick<ServerRows, "notify" | "listen">;
  /** Called with each hint that another server sent. */
  onHint: (kind: HintKind, id: string) => void;
  /**
   * Called when any row may have changed: another server had too many hints to list, or hints were missed
   * while the connection was lost.
   */
  onAnythingChanged: () => void;
  /** Time within which a server must receive its own notification, in ms. The default is {@link ECHO_MS}. */
  echoMs?: number;
  logger: Logger;
}

/**
 * Sends hints to other servers about changed rows, and receives theirs. A hint holds only the id of a row.
 * Hints may be lost; without hints, changes are found some seconds later.
 */
export class Hints {
  readonly #sender = crypto.randomUUID().slice(0, 8);
  #waiting = new Set<string>();
  #bytes = 0;
  #timer: Timer | undefined;
  #isSending = false;
  #stopped = false;
  #stopListening: (() => Promise<void>) | undefined;
  /**
   * Timer that runs while this server waits for its own notification. If it fires, the connection is dead.
   */
  #echoTimer: Timer | undefined;

  constructor(private readonly options: HintsOptions) {}

  /** Starts to listen for notifications, with retries until the database can be reached. */
  async start(): Promise<void> {
    const { rows, logger } = this.options;
    while (!this.#stopped && !this.#stopListening) {
      try {
        this.#stopListening = await rows.listen(
          (text) => this.#receive(text),
          () => this.#listenAgain(),
        );
        // stop() was called while the connection was being made, so listening ends at once.
        if (this.#stopped) await this.#stopListening();
      } catch (error) {
        logger.debug("hints of other servers are not heard", { reason: String(error) });
        await Bun.sleep(LISTEN_AGAIN_MS);
      }
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#echoTimer);
    await this.#stopListening?.();
  }

  /**
   * Listens again after a lost connection. Notifications were missed meanwhile, so all rows are checked as
   * soon as this server listens again.
   */
  #listenAgain(): void {
    this.#setEchoTimer(false);
    this.#stopListening = undefined;
    void this.start().then(() => this.#stopped || this.options.onAnythingChanged());
  }

  /** Whether no hints are waiting or being sent. */
  get isIdle(): boolean {
    return this.#bytes === 0 && !this.#isSending;
  }

  send(kind: HintKind, id: string): void {
    const hint = `${kind} ${id}`;
    if (this.#bytes > MAX_BYTES || this.#waiting.has(hint)) return;
    this.#waiting.add(hint);
    this.#bytes += hint.length + 1;
    if (!this.#isSending) this.#timer ??= setTimeout(() => void this.#send(), EVERY_MS);
  }

  async #send(): Promise<void> {
    this.#timer = undefined;
    const hints = this.#bytes > MAX_BYTES ? [ANYTHING_CHANGED] : [...this.#waiting];
    this.#waiting = new Set();
    this.#bytes = 0;
    this.#isSending = true;
    this.#setEchoTimer(true);
    await this.options.rows.notify([this.#sender, ...hints].join("\n")).catch((error: unknown) => {
      this.#setEchoTimer(false);
      this.options.logger.debug("a hint was lost", { reason: String(error) });
    });
    this.#isSending = false;
    if (this.#bytes > 0) this.#timer ??= setTimeout(() => void this.#send(), EVERY_MS);
  }

  /** Starts or cancels the timer that waits for the server's own notification. */
  #setEchoTimer(isAwaited: boolean): void {
    const stop = this.#stopListening;
    if (!isAwaited) {
      clearTimeout(this.#echoTimer);
      this.#echoTimer = undefined;
    } else if (stop) {
      this.#echoTimer ??= setTimeout(() => {
        this.options.logger.debug("hints are not heard any more, they are listened for anew");
        void stop().catch(() => undefined);
        this.#listenAgain();
      }, this.options.echoMs ?? ECHO_MS);
    }
  }

  #receive(text: string): void {
    const [sender, ...hints] = text.split("\n");
    if (sender === this.#sender) return this.#setEchoTimer(false);
    for (const hint of hints) {
      if (hint === ANYTHING_CHANGED) this.options.onAnythingChanged();
      const [kind, id] = hint.split(" ", 2);
      if (isKind(kind) && id !== undefined) this.options.onHint(kind, id);
    }
  }
}

const KINDS: ReadonlySet<string> = new Set<HintKind>([
  "queue",
  "client",
  "download",
  "job",
  "callers",
  "asked",
]);

function isKind(text: string | undefined): text is HintKind {
  return text !== undefined && KINDS.has(text);
}
