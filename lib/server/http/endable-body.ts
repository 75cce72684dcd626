import type { Caller } from "../access/caller.ts";
import type { OpenCalls } from "../access/open-calls.ts";

/**
 * Bytes that are sent piece by piece, until the right of their caller ends: the connection is reset
 * then, so that nobody takes what came for all of it. The runtime sends such a body without a
 * Content-Length.
 */
export function endableBody(
  bytes: Blob | ReadableStream<Uint8Array>,
  caller: Caller,
  openCalls: Pick<OpenCalls, "add">,
): ReadableStream<Uint8Array> {
  const reader = (bytes instanceof Blob ? bytes.stream() : bytes).getReader();
  let release = () => {};
  const close = () => {
    release();
    void reader.cancel();
  };
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        release = openCalls.add(caller, () => {
          close();
          // Without an error: the runtime would write it to the log.
          controller.error();
        });
      },
      async pull(controller) {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        release();
        controller.close();
      },
      cancel: close,
    },
    { highWaterMark: 0 },
  );
}
