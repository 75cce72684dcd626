import type { Logger } from "../../util/logger.ts";
import type { Repository } from "../database/repository.ts";

export interface LastSeenOptions {
  repository: Pick<Repository, "clientsSeen">;
  /** Called for each client when it has been recorded, or failed to be. */
  onChange: (clientId: string) => void;
  logger: Logger;
}

/**
 * Records when clients that left were last heard. All that leave while a statement runs share the next one.
 */
export class LastSeen {
  /** Times to record: when each client was last heard, ms since 1970. */
  readonly #left = new Map<string, number>();
  #recording: Promise<void> | undefined;

  constructor(private readonly options: LastSeenOptions) {}

  /** Records that a client left. @param heardAt when it was last heard, ms since 1970 */
  left(clientId: string, heardAt: number): void {
    this.#left.set(clientId, heardAt);
    this.#recording ??= this.#record().finally(() => {
      this.#recording = undefined;
    });
  }

  /** Resolves when all of them are recorded. */
  async settled(): Promise<void> {
    await this.#recording;
  }

  async #record(): Promise<void> {
    const { repository, onChange, logger } = this.options;
    while (this.#left.size > 0) {
      const left = new Map(this.#left);
      this.#left.clear();
      await repository
        .clientsSeen(left)
        .catch((error: unknown) =>
          logger.error("last_seen_at was not recorded", { clients: left.size }, error),
        );
      for (const clientId of left.keys()) onChange(clientId);
    }
  }
}
