import { nextRound } from "../../util/fair-turns.ts";

const HEADERS = {
  "Content-Type": "text/event-stream; charset=utf-8",
  // Must not be cached, and a proxy must neither compress nor buffer it.
  "Cache-Control": "no-cache, no-transform",
  "X-Accel-Buffering": "no",
};

/** The answer to HEAD, without events. */
export function headResponse(): Response {
  return new Response(null, { headers: HEADERS });
}

/**
 * An answer with server-sent events.
 * @param feed is asked for more only when the reader's connection has taken the last piece
 * @param over aborted when nothing more is to be sent; a connection that has not taken the last piece by
 *   then is reset, to free the memory held for it
 * @param onGone called when the connection is closed or reset
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
          // A reader that is taking data asks for more in a moment, and then gets the end.
          await nextRound();
          // Without an argument, as the runtime would log the error.
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
