import { FdsError } from "../../protocol/errors.ts";
import { FEATURES } from "../../protocol/messages.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { FlowControl } from "../transfer/flow-control.ts";
import { type Listing, type ListingOrder, ListingReceiver } from "../transfer/listing-receiver.ts";
import { clientNotFound, type Clients } from "./clients.ts";

/** Most listings of one client at a time. */
const MAX_AT_ONCE = 4;

export interface BrowsingOptions {
  clients: Pick<Clients, "get" | "sessionOf">;
  credit: FlowControl;
  metrics: Metrics;
}

/** Looks into the folders of clients. */
export class Browsing {
  /** How many listings of each client are under way. */
  readonly #running = new Map<string, number>();

  constructor(private readonly options: BrowsingOptions) {}

  /**
   * Reads a page of the names in a folder of a client.
   * @param signal aborted when nobody waits any more
   * @throws FdsError `client_not_found`, `client_not_connected`, `client_outdated`, `rate_limited`,
   *   `client_timeout`, or what the client says: `access_denied`, `file_not_found`, `not_a_folder`
   */
  async list(clientId: string, order: ListingOrder, signal: AbortSignal): Promise<Listing> {
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
    const release = this.#take(clientId);
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

  #take(clientId: string): () => void {
    const running = this.#running.get(clientId) ?? 0;
    if (running >= MAX_AT_ONCE) {
      throw new FdsError("rate_limited", `${MAX_AT_ONCE} listings of "${clientId}" are under way`);
    }
    this.#running.set(clientId, running + 1);
    return () => {
      const left = (this.#running.get(clientId) ?? 1) - 1;
      if (left === 0) this.#running.delete(clientId);
      else this.#running.set(clientId, left);
    };
  }
}
