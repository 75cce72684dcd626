import type { Caller } from "../access/caller.ts";
import type { OpenCalls } from "../access/open-calls.ts";

/**
 * A body that is sent piece by piece and can be ended: the connection is reset then, so that nobody takes
 * the received bytes for all of it. The runtime sends such a body without a Content-Length, and asks for
 * the next piece when it has sent the last one.
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
          // Without an argument, as the runtime would log the error.
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
