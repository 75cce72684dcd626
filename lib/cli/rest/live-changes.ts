import type { endpoints } from "../../api/endpoints.ts";
import type { RequestOf } from "../../api/endpoints/request.ts";
import { ChangeEvent } from "../../api/jobs.ts";
import { readEvents, type ServerSentEvent } from "../../util/server-sent-events.ts";
import { pause } from "../pause.ts";
import { parseJson, unexpectedAnswer } from "./answers.ts";
import { ApiCallError, isTransient } from "./api-errors.ts";
import type { Transport } from "./transport.ts";

/** Wait between two tries to reach an unreachable server, in ms. */
const POLL_INTERVAL = 200;

/** Additional wait after a busy server has refused a call, in ms. */
const BUSY_INTERVAL = 1000;

/**
 * Time that the server may be unreachable before watching fails, in ms. A server can be restarted within this
 * time.
 */
const PATIENCE = 60_000;

export interface WatchOptions {
  /** Ends the watching. The watched downloads continue. */
  signal?: AbortSignal;
  /** Wait between two tries to reach an unreachable server, in ms. */
  pollInterval?: number;
  /** Time that the server may be unreachable before watching fails, in ms. */
  patience?: number;
  /**
   * Called before each try to connect to the server. Changes between two connections may be missed, so the
   * caller may have to read records again.
   */
  onDial?: () => void;
  /** Called after each failed try to reach the server. */
  onUnreachable?: () => void;
}

/** Endpoints whose response is a stream of server-sent events. */
type LiveEndpoint = (typeof endpoints)["events" | "downloadEvents"];

/**
 * Yields the changes that the server reports, and reconnects after each interruption. The generator never
 * ends by itself.
 * @throws UnreachableError where the server stays unreachable for `patience` ms
 */
export async function* liveChanges<E extends LiveEndpoint>(
  transport: Transport,
  endpoint: E,
  request: RequestOf<E>,
  {
    signal,
    pollInterval = POLL_INTERVAL,
    patience = PATIENCE,
    onDial,
    onUnreachable,
  }: WatchOptions,
): AsyncGenerator<ChangeEvent> {
  let lastId = "";
  let unreachableSince: number | null = null;
  for (;;) {
    onDial?.();
    try {
      const headers = lastId === "" ? undefined : { "last-event-id": lastId };
      const options = { headers, signal, isWanted: isEventStream };
      const pieces = transport.pieces(endpoint, request, options);
      for await (const sent of readEvents(pieces)) {
        unreachableSince = null;
        lastId = sent.id;
        yield changeOf(sent, transport.server);
      }
    } catch (error) {
      unreachableSince ??= performance.now();
      if (!isTransient(error) || performance.now() - unreachableSince >= patience) throw error;
      onUnreachable?.();
      if (error instanceof ApiCallError) await pause(BUSY_INTERVAL, signal);
    }
    await pause(pollInterval, signal);
  }
}

function changeOf({ event, data }: ServerSentEvent, server: string): ChangeEvent {
  const change = ChangeEvent.safeParse({ event, data: parseJson(data) });
  if (change.success) return change.data;
  throw unexpectedAnswer(server, 200);
}

function isEventStream({ headers }: Response): boolean {
  return headers.get("content-type")?.startsWith("text/event-stream") ?? false;
}
