import type { Caller } from "../access/caller.ts";
import type { OpenCalls } from "../access/open-calls.ts";

/**
 * Returns a response body that is sent piece by piece, until its caller loses access. Then the connection is
 * reset, so that the received bytes are not mistaken for the complete content. The runtime sends such a body
 * without Content-Length, and asks for the next piece once the previous one was sent.
 */
export function endableBody(
  pieces: AsyncIterable<Uint8Array>,
  caller: Caller,
  openCalls: Pick<OpenCalls, "add">,
): ReadableStream<Uint8Array> {
  const iterator = pieces[Symbol.asyncIterator]();
  let release = () => {};
  const close = () => {
    release();
    void iterator.return?.();
  };
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        release = openCalls.add(caller, () => {
          close();
          // No error is passed to `error`, as the runtime would log it.
          controller.error();
        });
      },
      async pull(controller) {
        const { done, value } = await iterator.next();
        if (!done) return controller.enqueue(value);
        release();
        controller.close();
      },
      cancel: close,
    },
    { highWaterMark: 0 },
  );
}
