import type { FairTurns, InTurn } from "../../util/fair-turns.ts";
import type { Logger } from "../../util/logger.ts";
import { type Caller, LOCAL_ADMIN } from "../access/caller.ts";
import type { OpenCalls } from "../access/open-calls.ts";
import { endableBody } from "./endable-body.ts";
import { RateLimited } from "./rate-limited.ts";

/**
 * Most waiting pieces of work of one caller; beyond that, calls are answered 429. An event stream also
 * needs one when it begins: all streams that a token may open need half of these.
 */
const MAX_WAITING = 400;

export interface LongAnswersOptions {
  /** Turns of work for all callers. */
  turns: FairTurns;
  openCalls: Pick<OpenCalls, "add">;
  logger: Logger;
}

/** What a call needs whose answer may be long, or takes long to make. */
export interface Answering {
  request: Request;
  /** Runs a piece of work in the caller's turn. @throws FdsError `rate_limited` */
  inTurn: InTurn;
  /** A body of pieces that are made as fast as the caller reads them, while it has access. */
  goOn: (pieces: AsyncGenerator<Uint8Array>) => ReadableStream<Uint8Array>;
}

/** Makes long answers piece by piece, and only as fast as they are read. */
export class LongAnswers {
  constructor(private readonly options: LongAnswersOptions) {}

  /** @param caller null: anybody may call */
  for(request: Request, caller: Caller | null): Answering {
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
      goOn: (pieces) => endableBody(watched(pieces, logger), caller ?? LOCAL_ADMIN, openCalls),
    };
  }
}

/** Logs why an answer was cut off. The caller cannot be told, as its answer has begun. */
async function* watched<T>(pieces: AsyncGenerator<T>, logger: Logger): AsyncGenerator<T> {
  try {
    yield* pieces;
  } catch (error) {
    logger.error("a long answer broke off", {}, error);
    throw error;
  }
}
