import type { FairTurns, InTurn } from "../../util/fair-turns.ts";
import type { Logger } from "../../util/logger.ts";
import { type Caller, LOCAL_ADMIN } from "../access/caller.ts";
import type { OpenCalls } from "../access/open-calls.ts";
import { endableBody } from "./endable-body.ts";
import { RateLimited } from "./rate-limited.ts";

/**
 * Most pieces of work of one caller that wait for their turn; beyond them, calls are answered 429. An
 * event stream also needs one when it begins: all streams that a token may open need half of these.
 */
const MAX_WAITING = 400;

export interface LongAnswersOptions {
  /** Where the work of all callers waits for its turn. */
  turns: FairTurns;
  openCalls: Pick<OpenCalls, "add">;
  logger: Logger;
}

/** What a call needs whose answer may be long, or long in the making. */
export interface Answering {
  request: Request;
  /** Runs a piece of the work when it is the caller's turn. @throws FdsError `rate_limited` */
  inTurn: InTurn;
  /** A body of pieces that are made as fast as the caller takes them, while it has a right to them. */
  goOn: (pieces: AsyncGenerator<Uint8Array>) => ReadableStream<Uint8Array>;
}

/** Keeps long answers from being made all at once, and from being kept for who does not read. */
export class LongAnswers {
  constructor(private readonly options: LongAnswersOptions) {}

  /** @param caller null: anyone may call */
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

/** Logs why an answer broke off. The caller cannot be told: its answer has begun. */
async function* watched<T>(pieces: AsyncGenerator<T>, logger: Logger): AsyncGenerator<T> {
  try {
    yield* pieces;
  } catch (error) {
    logger.error("a long answer broke off", {}, error);
    throw error;
  }
}
