import { nextRound } from "../../util/fair-turns.ts";

const HEADERS = {
  "Content-Type": "text/event-stream; charset=utf-8",
  // Nobody may cache the events, and a proxy must not compress or buffer them.
  "Cache-Control": "no-cache, no-transform",
  "X-Accel-Buffering": "no",
};

/** The response to a HEAD request for events. */
export function headResponse(): Response {
  return new Response(null, { headers: HEADERS });
}

/**
 * A response with server-sent events.
 * @param feed yields the events. It is asked for more only when the connection has taken the previous piece.
 * @param endSignal aborted when no more events follow. A connection that has not taken the previous piece by
 * then is reset, which frees its memory.
 * @param onGone called when the connection is closed or reset
 */
export function eventResponse(
  feed: AsyncGenerator<Uint8Array>,
  endSignal: AbortSignal,
  onGone: () => void,
): Response {
  let isAsked = false;
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        endSignal.addEventListener("abort", async () => {
          onGone();
          // Waits a moment. A connection that takes data asks for more by then, and gets the end of the
          // stream. Any other connection is reset below.
          await nextRound();
          // No error is passed to `error`, as the runtime would log it.
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
