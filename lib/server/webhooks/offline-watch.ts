import { pauses } from "../../util/fair-turns.ts";
import type { Logger } from "../../util/logger.ts";
import type { Client } from "../database/repository.ts";
import type { OutboxRows } from "../webhook.ts";

/** Clients that are read at a time. */
const PAGE = 200;

/** Longest and shortest time between two checks for clients that have been away long enough, in ms. */
const LOOK_EVERY_MS = { most: 30_000, least: 250 };

export interface OfflineWatchOptions {
  outbox: Pick<OutboxRows, "clientIsAway">;
  /** Whether a client is connected to this server. */
  isHere: (clientId: string) => boolean;
  /** Whether a client is connected to any server. */
  isConnected: (clientId: string) => Promise<boolean>;
  /** Clients that are connected to no server, by id, after a given one. */
  away: (after: string, limit: number) => Promise<Pick<Client, "clientId" | "connectedAt">[]>;
  /** Time after which an absent client is reported, in ms. */
  offlineAfter: number;
  /** Called when a message may have been written. */
  onTold: () => void;
  logger: Logger;
}

/** How often all absent clients are listed, in ms, as the server that saw one leave may have ended. */
const LIST_EVERY_MS = 60_000;

/** When a client was last connected. */
interface Away {
  /** ms since 1970. */
  leftAt: number;
  /** By `performance.now`, as the clock may be set. */
  since: number;
}

/**
 * Finds clients that have been away for longer than a given time. Only time in which this server was
 * running counts: after a start, all clients get that time to come back.
 */
export class OfflineWatch {
  readonly #away = new Map<string, Away>();
  #timer: Timer | undefined;
  /** By `performance.now`. */
  #listedAt = 0;

  constructor(private readonly options: OfflineWatchOptions) {}

  async start(): Promise<void> {
    const { offlineAfter, logger } = this.options;
    await this.#list();
    const { most, least } = LOOK_EVERY_MS;
    this.#timer = setInterval(
      () => {
        this.#look().catch((error: unknown) => {
          logger.error("a client that is away was not told of", {}, error);
        });
      },
      Math.min(most, Math.max(least, offlineAfter / 4)),
    );
  }

  /** A client came or left. */
  clientChanged(clientId: string): void {
    if (this.options.isHere(clientId)) this.#away.delete(clientId);
    else if (!this.#away.has(clientId)) {
      this.#away.set(clientId, { leftAt: Date.now(), since: performance.now() });
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #list(): Promise<void> {
    this.#listedAt = performance.now();
    const pause = pauses();
    const listed = new Set<string>();
    for (let after = "", isMore = true; isMore;) {
      const clients = await this.options.away(after, PAGE);
      for (const { clientId, connectedAt } of clients) {
        await pause();
        listed.add(clientId);
        // It was back at another server, which may have ended since: this is a new absence.
        if (connectedAt > (this.#away.get(clientId)?.leftAt ?? Infinity)) {
          this.#away.delete(clientId);
        }
        this.clientChanged(clientId);
      }
      after = clients.at(-1)?.clientId ?? "";
      isMore = clients.length === PAGE;
    }
    // Clients that came back to another server are absent no longer.
    for (const [clientId, { since }] of this.#away) {
      if (since === Infinity && !listed.has(clientId)) this.#away.delete(clientId);
    }
  }

  async #look(): Promise<void> {
    if (performance.now() - this.#listedAt > LIST_EVERY_MS) await this.#list();
    const { outbox, isConnected, offlineAfter, onTold } = this.options;
    const before = performance.now() - offlineAfter;
    const pause = pauses();
    for (const [clientId, { leftAt, since }] of [...this.#away]) {
      await pause();
      if (since > before || since === Infinity) continue;
      if (await isConnected(clientId)) {
        this.#away.delete(clientId);
        continue;
      }
      await outbox.clientIsAway(clientId, leftAt, Date.now());
      const away = this.#away.get(clientId);
      // It has been reported: until the client comes back, there is nothing more to say.
      if (away?.leftAt === leftAt) away.since = Infinity;
      onTold();
    }
  }
}
