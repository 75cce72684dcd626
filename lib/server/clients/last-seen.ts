import type { Logger } from "../../util/logger.ts";
import type { Repository } from "../database/repository.ts";

export interface LastSeenOptions {
  repository: Pick<Repository, "clientsSeen">;
  /**
   * Called for each disconnected client after its `last_seen_at` was recorded, or after the recording failed.
   */
  onChange: (clientId: string) => void;
  logger: Logger;
}

/**
 * Records when clients that disconnected were last heard. One statement records all clients that left while
 * the previous statement ran.
 */
export class LastSeen {
  /**
   * Times that are still to be recorded. The key is the id of a disconnected client. The value is when the
   * client was last heard, in ms since 1970.
   */
  readonly #unrecorded = new Map<string, number>();
  #recording: Promise<void> | undefined;

  constructor(private readonly options: LastSeenOptions) {}

  /** Records that a client disconnected. @param heardAt when it was last heard, in ms since 1970 */
  disconnected(clientId: string, heardAt: number): void {
    this.#unrecorded.set(clientId, heardAt);
    this.#recording ??= this.#record();
  }

  /** Resolves when all times are recorded. */
  async settled(): Promise<void> {
    await this.#recording;
  }

  async #record(): Promise<void> {
    const { repository, onChange, logger } = this.options;
    while (this.#unrecorded.size > 0) {
      const batch = new Map(this.#unrecorded);
      this.#unrecorded.clear();
      await repository
        .clientsSeen(batch)
        .catch((error: unknown) =>
          logger.error("last_seen_at was not recorded", { clients: batch.size }, error),
        );
      for (const clientId of batch.keys()) onChange(clientId);
    }
    // There is no `await` between the last check of the map and this line, so no client that is added to the
    // map is forgotten.
    this.#recording = undefined;
  }
}
