import type { Logger } from "./logger.ts";
import { RateLimiter } from "./rate-limiter.ts";

/** Rate of similar lines about one peer. */
const OF_A_PEER = { burst: 50, everyMs: 2_000 };
/** Rate of lines about all peers together. */
const OF_ALL = { burst: 2_000, everyMs: 20 };
/** How often the number of dropped lines is logged, in ms. */
const TOLD_EVERY_MS = 10_000;

/**
 * Limits the log lines that peers can cause. A flood of lines would fill the disk, and hide what a person
 * looks for. Dropped lines are counted.
 */
export class LineLimit {
  readonly #ofPeers = new RateLimiter(OF_A_PEER);
  readonly #ofAll = new RateLimiter(OF_ALL);
  #leftOut = 0;

  /**
   * @param logger logs how many lines were dropped
   * @param about whom the dropped lines are about, for that message
   */
  constructor(
    private readonly logger: Logger,
    private readonly about = "clients",
  ) {}

  /** @param peer whom the lines are about @returns a logger that drops the lines above the limit */
  of(peer: string, logger = this.logger): Logger {
    return logger.where((message) => this.#take(peer, message));
  }

  #take(peer: string, message: string): boolean {
    // What follows a colon differs from line to line.
    const [kind] = message.split(":", 1);
    if (this.#ofPeers.take(`${kind} ${peer}`) === 0 && this.#ofAll.take("") === 0) return true;
    if (this.#leftOut++ === 0) setTimeout(() => this.#tell(), TOLD_EVERY_MS).unref();
    return false;
  }

  #tell(): void {
    this.logger.warn(`log lines about ${this.about} were left out`, { lines: this.#leftOut });
    this.#leftOut = 0;
  }
}
