import { pauses } from "../../util/fair-turns.ts";
import type { Logger } from "../../util/logger.ts";
import type { Client } from "../database/repository.ts";
import type { OutboxRows } from "../webhook.ts";

/** Number of clients that one query reads. */
const PAGE = 200;

/** Bounds of the interval at which clients are checked for a long absence, in ms. */
const CHECK_INTERVAL_MS = { max: 30_000, min: 250 };

export interface OfflineWatchOptions {
  outbox: Pick<OutboxRows, "clientIsAway">;
  /** Reports whether a client is connected to this server. */
  isHere: (clientId: string) => boolean;
  /** Reports whether a client is connected to any server. */
  isConnected: (clientId: string) => Promise<boolean>;
  /** Lists clients that are connected to no server, sorted by id, after a given id. */
  listOffline: (
    after: string,
    limit: number,
  ) => Promise<Pick<Client, "clientId" | "connectedAt">[]>;
  /** Time in ms after which a disconnected client is reported as offline. */
  offlineAfter: number;
  /** Called when a message may have been written to the outbox. */
  onOutboxWritten: () => void;
  logger: Logger;
}

/**
 * Interval in ms at which all disconnected clients are listed. This finds clients whose server has ended, as
 * nobody tells this server that such clients left.
 */
const LIST_EVERY_MS = 60_000;

/** The absence of a client. */
interface Absence {
  /** When the client left, in ms since 1970. */
  leftAt: number;
  /**
   * When the client left, in ms of `performance.now`, which changes of the clock do not affect. Infinity:
   * already reported.
   */
  since: number;
}

/**
 * Finds clients that have been disconnected for longer than a given time. Only time in which this server was
 * running counts. So after a start, all clients get that time to reconnect.
 */
export class OfflineWatch {
  readonly #absences = new Map<string, Absence>();
  #timer: Timer | undefined;
  /** When all disconnected clients were last listed, in ms of `performance.now`. */
  #listedAt = 0;

  constructor(private readonly options: OfflineWatchOptions) {}

  async start(): Promise<void> {
    const { offlineAfter, logger } = this.options;
    await this.#list();
    const { max, min } = CHECK_INTERVAL_MS;
    this.#timer = setInterval(
      () => {
        this.#check().catch((error: unknown) => {
          logger.error("a client that is away was not told of", {}, error);
        });
      },
      Math.min(max, Math.max(min, offlineAfter / 4)),
    );
  }

  /** Notes that a client connected or left. */
  clientChanged(clientId: string): void {
    if (this.options.isHere(clientId)) this.#absences.delete(clientId);
    else if (!this.#absences.has(clientId)) {
      this.#absences.set(clientId, { leftAt: Date.now(), since: performance.now() });
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
      const clients = await this.options.listOffline(after, PAGE);
      for (const { clientId, connectedAt } of clients) {
        await pause();
        listed.add(clientId);
        // If the client connected to another server in between, and left it again, a new absence begins.
        if (connectedAt > (this.#absences.get(clientId)?.leftAt ?? Infinity)) {
          this.#absences.delete(clientId);
        }
        this.clientChanged(clientId);
      }
      after = clients.at(-1)?.clientId ?? "";
      isMore = clients.length === PAGE;
    }
    // Forgets the reported absences of clients that have reconnected to another server.
    for (const [clientId, { since }] of this.#absences) {
      if (since === Infinity && !listed.has(clientId)) this.#absences.delete(clientId);
    }
  }

  async #check(): Promise<void> {
    if (performance.now() - this.#listedAt > LIST_EVERY_MS) await this.#list();
    const { outbox, isConnected, offlineAfter, onOutboxWritten } = this.options;
    const before = performance.now() - offlineAfter;
    const pause = pauses();
    for (const [clientId, { leftAt, since }] of [...this.#absences]) {
      await pause();
      if (since > before || since === Infinity) continue;
      if (await isConnected(clientId)) {
        this.#absences.delete(clientId);
        continue;
      }
      await outbox.clientIsAway(clientId, leftAt, Date.now());
      const absence = this.#absences.get(clientId);
      // Marks the absence as reported, so that nothing more is sent until the client reconnects.
      if (absence?.leftAt === leftAt) absence.since = Infinity;
      onOutboxWritten();
    }
  }
}
