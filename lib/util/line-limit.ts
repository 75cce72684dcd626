import type { Logger } from "./logger.ts";
import { RateLimiter } from "./rate-limiter.ts";

/** Limit of similar log lines about one peer: 50 at once, then one every 2 s. */
const PEER_LIMIT = { burst: 50, everyMs: 2_000 };
/** Limit of log lines about all peers together: 2,000 at once, then one every 20 ms. */
const TOTAL_LIMIT = { burst: 2_000, everyMs: 20 };
/** Time from the first dropped line until the number of dropped lines is logged, in ms. */
const REPORT_AFTER_MS = 10_000;

/**
 * Limits the log lines that remote peers can cause. A flood of lines would fill the disk, and hide important
 * lines. The number of dropped lines is logged.
 */
export class LineLimit {
  readonly #peerLimiter = new RateLimiter(PEER_LIMIT);
  readonly #totalLimiter = new RateLimiter(TOTAL_LIMIT);
  #dropped = 0;

  /**
   * @param logger logs the number of dropped lines
   * @param about what the limited lines are about, such as "clients", for the report of dropped lines
   */
  constructor(
    private readonly logger: Logger,
    private readonly about = "clients",
  ) {}

  /**
   * Returns a logger that drops the lines above the limit.
   * @param peer name of the peer that the lines are about; each peer has a limit of its own
   */
  of(peer: string, logger = this.logger): Logger {
    return logger.where((message) => this.#admit(peer, message));
  }

  #admit(peer: string, message: string): boolean {
    // Lines count as similar if they agree up to the first colon, as details such as errors follow it.
    const [kind] = message.split(":", 1);
    if (this.#peerLimiter.take(`${kind} ${peer}`) === 0 && this.#totalLimiter.take("") === 0)
      return true;
    if (this.#dropped++ === 0) setTimeout(() => this.#reportDropped(), REPORT_AFTER_MS).unref();
    return false;
  }

  #reportDropped(): void {
    this.logger.warn(`log lines about ${this.about} were left out`, { lines: this.#dropped });
    this.#dropped = 0;
  }
}
