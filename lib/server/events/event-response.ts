const HEADERS = {
  "Content-Type": "text/event-stream; charset=utf-8",
  // Neither kept by a cache, nor held back by a proxy that compresses or collects.
  "Cache-Control": "no-cache, no-transform",
  "X-Accel-Buffering": "no",
};

/**
 * An answer that goes on: server-sent events.
 * @param feed is asked for more only when the last of it has been taken by the reader's connection
 * @param onGone the reader closed the connection, or nothing could be sent for too long
 */
export function eventResponse(feed: AsyncGenerator<string>, onGone: () => void): Response {
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await feed.next();
        if (!done) controller.enqueue(encoder.encode(value));
        else controller.close();
      },
      cancel: onGone,
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { headers: HEADERS });
}
