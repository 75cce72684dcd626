import { FdsError } from "../../protocol/errors.ts";
import { FEATURES } from "../../protocol/messages.ts";
import type { Logger } from "../../util/logger.ts";
import type { Repository } from "../database/repository.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { FlowControl } from "../transfer/flow-control.ts";
import { type Listing, type ListingOrder, ListingReceiver } from "../transfer/listing-receiver.ts";
import { BrowsingElsewhere } from "./browsing-elsewhere.ts";
import { clientNotFound, type Clients } from "./clients.ts";

/** Maximum number of listings of one client's folders that run at the same time. */
const MAX_AT_ONCE = 4;

export interface BrowsingOptions {
  repository: Pick<Repository, "servers">;
  clients: Pick<Clients, "get" | "isConnected" | "sessionOf">;
  credit: FlowControl;
  metrics: Metrics;
  /**
   * Called when the row of a request for a listing is written. Sends a hint, so that the server to which the
   * client is connected reads the row at once.
   */
  onAsked: (clientId: string) => void;
  logger: Logger;
}

/** Lists the folders of clients. */
export class Browsing {
  /** The number of running listings of each client. */
  readonly #running = new Map<string, number>();

  /** Lists folders of clients that are connected to other servers; null: this is the only server. */
  readonly #elsewhere: BrowsingElsewhere | null;

  constructor(private readonly options: BrowsingOptions) {
    const { servers } = options.repository;
    const list = this.#listHere.bind(this);
    this.#elsewhere = servers && new BrowsingElsewhere({ ...options, rows: servers, list });
  }

  /** Answers other servers' requests to list folders of clients that are connected to this server. */
  async answerAll(): Promise<void> {
    await this.#elsewhere?.answerAll();
  }

  /**
   * Lists a page of a client's folder.
   * @param signal aborted when the caller no longer waits
   * @throws FdsError `client_not_found`, `client_not_connected`, `client_outdated`, `rate_limited`,
   * `client_timeout`, or the client's own error: `access_denied`, `file_not_found`, `not_a_folder`
   */
  async list(clientId: string, order: ListingOrder, signal: AbortSignal): Promise<Listing> {
    const isHere = this.options.clients.sessionOf(clientId)?.isOpen ?? false;
    if (!isHere && this.#elsewhere && (await this.options.clients.isConnected(clientId))) {
      return this.#elsewhere.list(clientId, order, signal);
    }
    return this.#listHere(clientId, order, signal);
  }

  async #listHere(clientId: string, order: ListingOrder, signal: AbortSignal): Promise<Listing> {
    const session = this.options.clients.sessionOf(clientId);
    const { client } = session ?? {};
    if (!session?.isOpen || !client) {
      if (!(await this.options.clients.get(clientId))) throw clientNotFound(clientId);
      throw new FdsError("client_not_connected", `The client "${clientId}" is not connected`);
    }
    if (!client.features.has(FEATURES.list)) {
      const message = `The client "${clientId}" is too old to list files: update it`;
      throw new FdsError("client_outdated", message);
    }
    const release = this.#takeSlot(clientId);
    const receiver = session.attach((stream) => {
      const { credit, metrics } = this.options;
      const { chunkSize } = client;
      return new ListingReceiver({ stream, chunkSize, link: session, credit, metrics });
    });
    const abandon = () => receiver.abandon();
    signal.addEventListener("abort", abandon);
    try {
      return await receiver.list(order);
    } finally {
      signal.removeEventListener("abort", abandon);
      release();
    }
  }

  #takeSlot(clientId: string): () => void {
    const running = this.#running.get(clientId) ?? 0;
    if (running >= MAX_AT_ONCE) {
      throw new FdsError("rate_limited", `${MAX_AT_ONCE} listings of "${clientId}" are under way`);
    }
    this.#running.set(clientId, running + 1);
    return () => {
      const remaining = (this.#running.get(clientId) ?? 1) - 1;
      if (remaining === 0) this.#running.delete(clientId);
      else this.#running.set(clientId, remaining);
    };
  }
}
