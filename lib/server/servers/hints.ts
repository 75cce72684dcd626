import type { Logger } from "../../util/logger.ts";
import type { ServerRows } from "./rows.ts";

/**
 * Topics of hints. `queue`: something waits for a client. `client`: it registered, left or changed.
 * `download`, `job`: it changed. `callers`: the access of a token or session ended. `asked`: a question
 * about a client waits for the server that holds it.
 */
export type HintKind = "queue" | "client" | "download" | "job" | "callers" | "asked";

/** Shortest time between two notifications of a server, in ms. */
const EVERY_MS = 100;
/** Time until another try to listen, in ms, where the database is away. */
const LISTEN_AGAIN_MS = 1_000;
/** A server hears its own notifications within this time, in ms, or the connection is dead. */
const ECHO_MS = 5_000;
/** Most bytes of a notification; Postgres takes 8,000. */
const MOST_BYTES = 7_500;
/** Sent when there are too many hints. Whoever receives it looks at everything. */
const MUCH = "*";

export interface HintsOptions {
  rows: Pick<ServerRows, "notify" | "listen">;
  /** Called with each hint of another server. */
  hear: (kind: HintKind, id: string) => void;
  /** Called when another server had too many hints to list. */
  hearMuch: () => void;
  /** As {@link ECHO_MS}. */
  echoMs?: number;
  logger: Logger;
}

/**
 * Tells other servers what changed: only ids, which they look up. Any hint may be lost; without hints
 * everything still works, some seconds later.
 */
export class Hints {
  readonly #sender = crypto.randomUUID().slice(0, 8);
  #waiting = new Set<string>();
  #bytes = 0;
  #timer: Timer | undefined;
  #isSending = false;
  #stopped = false;
  #stop: (() => Promise<void>) | undefined;
  /** Runs while a notification of its own is awaited: a silently dead connection is noticed by it. */
  #echo: Timer | undefined;

  constructor(private readonly options: HintsOptions) {}

  /** Starts to listen as soon as the database can be reached, and again after each break. */
  async start(): Promise<void> {
    const { rows, logger } = this.options;
    while (!this.#stopped && !this.#stop) {
      try {
        this.#stop = await rows.listen(
          (text) => this.#heard(text),
          () => this.#deafened(),
        );
        // It was stopped meanwhile.
        if (this.#stopped) await this.#stop();
      } catch (error) {
        logger.debug("hints of other servers are not heard", { reason: String(error) });
        await Bun.sleep(LISTEN_AGAIN_MS);
      }
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#echo);
    await this.#stop?.();
  }

  /** Listens again. Notifications in between are lost, so everything is looked at then. */
  #deafened(): void {
    this.#isAwaited(false);
    this.#stop = undefined;
    void this.start().then(() => this.#stopped || this.options.hearMuch());
  }

  /** Whether nothing waits to be sent. */
  get isIdle(): boolean {
    return this.#bytes === 0 && !this.#isSending;
  }

  send(kind: HintKind, id: string): void {
    const hint = `${kind} ${id}`;
    if (this.#bytes > MOST_BYTES || this.#waiting.has(hint)) return;
    this.#waiting.add(hint);
    this.#bytes += hint.length + 1;
    if (!this.#isSending) this.#timer ??= setTimeout(() => void this.#send(), EVERY_MS);
  }

  async #send(): Promise<void> {
    this.#timer = undefined;
    const hints = this.#bytes > MOST_BYTES ? [MUCH] : [...this.#waiting];
    this.#waiting = new Set();
    this.#bytes = 0;
    this.#isSending = true;
    this.#isAwaited(true);
    await this.options.rows.notify([this.#sender, ...hints].join("\n")).catch((error: unknown) => {
      this.#isAwaited(false);
      this.options.logger.debug("a hint was lost", { reason: String(error) });
    });
    this.#isSending = false;
    if (this.#bytes > 0) this.#timer ??= setTimeout(() => void this.#send(), EVERY_MS);
  }

  /** Starts or ends the wait for one's own notification. */
  #isAwaited(isAwaited: boolean): void {
    const stop = this.#stop;
    if (!isAwaited) {
      clearTimeout(this.#echo);
      this.#echo = undefined;
    } else if (stop) {
      this.#echo ??= setTimeout(() => {
        this.options.logger.debug("hints are not heard any more, they are listened for anew");
        void stop().catch(() => undefined);
        this.#deafened();
      }, this.options.echoMs ?? ECHO_MS);
    }
  }

  #heard(text: string): void {
    const [sender, ...hints] = text.split("\n");
    if (sender === this.#sender) return this.#isAwaited(false);
    for (const hint of hints) {
      if (hint === MUCH) this.options.hearMuch();
      const [kind, id] = hint.split(" ", 2);
      if (isKind(kind) && id !== undefined) this.options.hear(kind, id);
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
