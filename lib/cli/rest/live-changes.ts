import type { endpoints } from "../../api/endpoints.ts";
import type { RequestOf } from "../../api/endpoints/request.ts";
import { Change } from "../../api/jobs.ts";
import { readEvents, type ServerSentEvent } from "../../util/server-sent-events.ts";
import { pause } from "../pause.ts";
import { parseJson, unexpectedAnswer } from "./answers.ts";
import { ApiCallError, isTransient } from "./api-errors.ts";
import type { Transport } from "./transport.ts";

/** Wait between two tries to reach a server that is away, in ms. */
const POLL_INTERVAL = 200;

/** The same where the server is busy. */
const BUSY_INTERVAL = 1000;

/** How long a watched server may be away, in ms: enough to start it again. */
const PATIENCE = 60_000;

export interface WatchOptions {
  /** Ends the watching; the download goes on. */
  signal?: AbortSignal;
  /** Wait between two tries to reach a server that is away, in ms. */
  pollInterval?: number;
  /** How long the server may be away, in ms. */
  patience?: number;
  /** Called before each try to reach the server. Changes before that may be missed. */
  onDial?: () => void;
  /** Called after each try that did not reach the server. */
  onAway?: () => void;
}

/** The calls that answer with server-sent events. */
type LiveEndpoint = (typeof endpoints)["events" | "downloadEvents"];

/** The changes that the server reports, even across its restarts, until nobody wants them any more. */
export async function* liveChanges<E extends LiveEndpoint>(
  transport: Transport,
  endpoint: E,
  request: RequestOf<E>,
  { signal, pollInterval = POLL_INTERVAL, patience = PATIENCE, onDial, onAway }: WatchOptions,
): AsyncGenerator<Change> {
  let lastId = "";
  let awaySince: number | null = null;
  for (;;) {
    onDial?.();
    try {
      const headers = lastId === "" ? undefined : { "last-event-id": lastId };
      const options = { headers, signal, isWanted: isEventStream };
      const pieces = transport.pieces(endpoint, request, options);
      for await (const sent of readEvents(pieces)) {
        awaySince = null;
        lastId = sent.id;
        yield changeOf(sent, transport.server);
      }
    } catch (error) {
      awaySince ??= performance.now();
      if (!isTransient(error) || performance.now() - awaySince >= patience) throw error;
      onAway?.();
      if (error instanceof ApiCallError) await pause(BUSY_INTERVAL, signal);
    }
    await pause(pollInterval, signal);
  }
}

function changeOf({ event, data }: ServerSentEvent, server: string): Change {
  const change = Change.safeParse({ event, data: parseJson(data) });
  if (change.success) return change.data;
  throw unexpectedAnswer(server, 200);
}

function isEventStream({ headers }: Response): boolean {
  return headers.get("content-type")?.startsWith("text/event-stream") ?? false;
}
