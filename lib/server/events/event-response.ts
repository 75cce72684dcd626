import { nextRound } from "../../util/fair-turns.ts";

const HEADERS = {
  "Content-Type": "text/event-stream; charset=utf-8",
  // Neither kept by a cache, nor held back by a proxy that compresses or collects.
  "Cache-Control": "no-cache, no-transform",
  "X-Accel-Buffering": "no",
};

/** The answer to HEAD: nobody will read the events. */
export function headResponse(): Response {
  return new Response(null, { headers: HEADERS });
}

/**
 * An answer that goes on: server-sent events.
 * @param feed is asked for more only when the last of it has been taken by the reader's connection
 * @param over aborted when nothing more is to be sent: a connection that has not taken the last of
 *   it is reset, as memory is held for it until then
 * @param onGone the connection is closed, or reset
 */
export function eventResponse(
  feed: AsyncGenerator<Uint8Array>,
  over: AbortSignal,
  onGone: () => void,
): Response {
  let isAsked = false;
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        over.addEventListener("abort", async () => {
          onGone();
          // Who takes what was sent asks for more in a moment, and is told the end.
          await nextRound();
          // Without an error: the runtime would write it to the log.
          if (!isAsked) controller.error();
        });
      },
      async pull(controller) {
        isAsked = true;
        const { done, value } = await feed.next();
        isAsked = false;
        if (!done) controller.enqueue(value);
        else controller.close();
      },
      cancel: onGone,
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { headers: HEADERS });
}
