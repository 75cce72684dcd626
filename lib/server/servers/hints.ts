import type { Logger } from "../../util/logger.ts";
import type { ServerRows } from "./rows.ts";

/**
 * What a hint is about. `queue`: something waits for a client. `client`: it came, left, or is another.
 * `download`, `job`: it is another than before. `callers`: a token or a session ended.
 * `asked`: whoever has a client is asked something about it.
 */
export type HintKind = "queue" | "client" | "download" | "job" | "callers" | "asked";

/** Servers tell each other so often at most, in ms. */
const EVERY_MS = 100;
/** Where they cannot be heard, it is tried again after this time, in ms. */
const LISTEN_AGAIN_MS = 5_000;
/** Postgres takes 8,000 bytes. */
const MOST_BYTES = 7_500;
/** In place of hints that are too many: whoever hears it looks at everything. */
const MUCH = "*";

export interface HintsOptions {
  rows: Pick<ServerRows, "notify" | "listen">;
  /** Hears what another server tells. */
  hear: (kind: HintKind, id: string) => void;
  /** So much happened at another server that it does not say what. */
  hearMuch: () => void;
  logger: Logger;
}

/**
 * Tells other servers that something is another than before: ids only, which they look up. Any hint may
 * be lost, and everything works without them, some seconds later.
 */
export class Hints {
  readonly #sender = crypto.randomUUID().slice(0, 8);
  #waiting = new Set<string>();
  #bytes = 0;
  #timer: Timer | undefined;
  #isSending = false;
  #stopped = false;
  #stop: (() => Promise<void>) | undefined;

  constructor(private readonly options: HintsOptions) {}

  /** Hears from now on, as soon as that can be. */
  async start(): Promise<void> {
    const { rows, logger } = this.options;
    while (!this.#stopped && !this.#stop) {
      try {
        this.#stop = await rows.listen((text) => this.#heard(text));
        // It was told to stop meanwhile.
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
    await this.#stop?.();
  }

  /** Whether nothing waits to be told. */
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
    await this.options.rows
      .notify([this.#sender, ...hints].join("\n"))
      .catch((error: unknown) =>
        this.options.logger.debug("a hint was lost", { reason: String(error) }),
      );
    this.#isSending = false;
    if (this.#bytes > 0) this.#timer ??= setTimeout(() => void this.#send(), EVERY_MS);
  }

  #heard(text: string): void {
    const [sender, ...hints] = text.split("\n");
    if (sender === this.#sender) return;
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
