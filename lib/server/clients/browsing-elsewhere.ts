import { type ErrorCode, FdsError } from "../../protocol/errors.ts";
import type { Logger } from "../../util/logger.ts";
import type { ServerRows } from "../servers/rows.ts";
import type { Listing, ListingOrder } from "../transfer/listing-receiver.ts";

/** Time between two reads of the row in which the other server writes its answer, in ms. */
const POLL_EVERY_MS = 50;
/**
 * Longest wait for the answer of the server to which the client is connected, in ms: the time limit of the
 * client's answer, and some seconds more, because that server may notice the request late.
 */
const ANSWER_WITHIN_MS = 14_000;

/** The answer of another server: the listing of a folder, or an error. */
type Answer = { listing: Listing } | { code: ErrorCode; message: string };

export interface BrowsingElsewhereOptions {
  rows: Pick<ServerRows, "answer" | "answerTo" | "ask" | "forget" | "takeAsked">;
  /**
   * Called when the row of a request for a listing is written. Sends a hint, so that the server to which the
   * client is connected reads the row at once.
   */
  onAsked: (clientId: string) => void;
  /** Lists a folder of a client that is connected to this server. */
  list: (clientId: string, order: ListingOrder, signal: AbortSignal) => Promise<Listing>;
  logger: Logger;
}

/**
 * Lists folders of clients that are connected to other servers. The requests and their answers are rows of
 * the database.
 */
export class BrowsingElsewhere {
  constructor(private readonly options: BrowsingElsewhereOptions) {}

  /**
   * Lists a folder by way of the server to which the client is connected.
   * @throws FdsError `client_timeout`, or the error of the other server
   */
  async list(clientId: string, order: ListingOrder, signal: AbortSignal): Promise<Listing> {
    const { rows, onAsked } = this.options;
    const requestId = Bun.randomUUIDv7();
    await rows.ask({ requestId, clientId, order: JSON.stringify(order) });
    onAsked(clientId);
    try {
      const deadline = performance.now() + ANSWER_WITHIN_MS;
      while (performance.now() < deadline && !signal.aborted) {
        const answer = await rows.answerTo(requestId);
        if (answer !== null) return listingIn(JSON.parse(answer) as Answer);
        await Bun.sleep(POLL_EVERY_MS);
      }
    } finally {
      await rows.forget(requestId);
    }
    throw new FdsError("client_timeout", `"${clientId}" did not answer in time`);
  }

  /** Answers other servers' requests to list folders of clients that are connected to this server. */
  async answerAll(): Promise<void> {
    for (const { requestId, clientId, order } of await this.options.rows.takeAsked()) {
      void this.#answer(requestId, clientId, JSON.parse(order) as ListingOrder);
    }
  }

  async #answer(requestId: string, clientId: string, order: ListingOrder): Promise<void> {
    const { rows, list, logger } = this.options;
    const answer: Answer = await list(clientId, order, new AbortController().signal).then(
      (listing) => ({ listing }),
      (error: unknown) => answerOf(error),
    );
    await rows
      .answer(requestId, JSON.stringify(answer))
      .catch((error: unknown) => logger.error("a listing was not answered", {}, error));
  }
}

function answerOf(error: unknown): Answer {
  if (error instanceof FdsError) return { code: error.code, message: error.message };
  return { code: "internal_error", message: "the other server failed to list the folder" };
}

function listingIn(answer: Answer): Listing {
  if ("listing" in answer) return answer.listing;
  throw new FdsError(answer.code, answer.message);
}
