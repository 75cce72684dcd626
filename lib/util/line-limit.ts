import type { Logger } from "./logger.ts";
import { RateLimiter } from "./rate-limiter.ts";

/** Lines of one kind about one peer. */
const OF_A_PEER = { burst: 50, everyMs: 2_000 };
/** Lines about all peers together. */
const OF_ALL = { burst: 2_000, everyMs: 20 };
/** How often it is told how many lines were left out, in ms. */
const TOLD_EVERY_MS = 10_000;

/**
 * Limits the log lines that a peer can cause. A flood of lines would fill the disk, and hide what a person
 * looks for. Lines that are left out are counted.
 */
export class LineLimit {
  readonly #ofPeers = new RateLimiter(OF_A_PEER);
  readonly #ofAll = new RateLimiter(OF_ALL);
  #leftOut = 0;

  /**
   * @param logger is told how many lines were left out
   * @param about whose lines they are, for that
   */
  constructor(
    private readonly logger: Logger,
    private readonly about = "clients",
  ) {}

  /**
   * @param peer whose doings the lines are about
   * @returns the logger, but for lines that are too many
   */
  of(peer: string, logger = this.logger): Logger {
    return logger.where((message) => this.#take(peer, message));
  }

  #take(peer: string, message: string): boolean {
    // What follows the colon is different each time, or can be.
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
