import type { FairTurns, InTurn } from "../../util/fair-turns.ts";
import type { Logger } from "../../util/logger.ts";
import { type Caller, LOCAL_ADMIN } from "../access/caller.ts";
import type { OpenCalls } from "../access/open-calls.ts";
import { endableBody } from "./endable-body.ts";
import { RateLimited } from "./rate-limited.ts";

/**
 * Limit on the pieces of work of one caller that wait for their turn. Further calls of the caller get status
 * 429. Event streams read rows in turns, too: each waits for one piece at a time, so all streams that a token
 * may open take at most half of the limit.
 */
const MAX_WAITING = 400;

export interface LongAnswersOptions {
  /** Runs pieces of work of all callers in turns. */
  turns: FairTurns;
  openCalls: Pick<OpenCalls, "add">;
  logger: Logger;
}

/** The helpers with which the handler of a call makes a response that is long, or takes long to compute. */
export interface Answering {
  request: Request;
  /**
   * Runs a piece of work when it is the caller's turn.
   * @throws FdsError `rate_limited` if too many of the caller's pieces wait
   */
  inTurn: InTurn;
  /**
   * Returns a body whose pieces are computed as fast as the caller reads them. The body ends if the caller
   * loses access.
   */
  streamBody: (pieces: AsyncGenerator<Uint8Array>) => ReadableStream<Uint8Array>;
}

/** Makes long responses piece by piece, only as fast as they are read. */
export class LongAnswers {
  constructor(private readonly options: LongAnswersOptions) {}

  /** Returns the helpers for one request. @param caller null: the endpoint needs no authentication */
  helpersFor(request: Request, caller: Caller | null): Answering {
    const { turns, openCalls, logger } = this.options;
    const owner = caller?.name ?? "";
    return {
      request,
      inTurn: async (piece) => {
        if (turns.waitingOf(owner) >= MAX_WAITING) {
          throw new RateLimited(1000, "too many long answers are being made for you");
        }
        return turns.run(owner, piece);
      },
      streamBody: (pieces) =>
        endableBody(watched(pieces, logger), caller ?? LOCAL_ADMIN, openCalls),
    };
  }
}

/** Logs why a response ended early. The caller cannot be told, as the response has already begun. */
async function* watched<T>(pieces: AsyncGenerator<T>, logger: Logger): AsyncGenerator<T> {
  try {
    yield* pieces;
  } catch (error) {
    logger.error("a long answer broke off", {}, error);
    throw error;
  }
}
