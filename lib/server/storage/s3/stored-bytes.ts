import { problemInS3 } from "./error.ts";
import type { Objects } from "./objects.ts";

/** Number of bytes that are requested at a time. */
const BLOCK = 4 * 1024 * 1024;

/**
 * Returns the bytes of an object, requested block by block as they are read. So a slow reader holds no
 * connection to S3, and a broken connection costs one block.
 */
export function storedBytes(
  objects: Objects,
  range: { key: string; etag: string; start: number; end: number },
): ReadableStream<Uint8Array> {
  const { key, etag, end } = range;
  let at = range.start;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (at >= end) return controller.close();
        try {
          const next = Math.min(end, at + BLOCK);
          const bytes = await objects.get(key, { start: at, end: next }, etag);
          at = next;
          controller.enqueue(bytes);
        } catch (error) {
          throw problemInS3("read the file", error);
        }
      },
    },
    { highWaterMark: 0 },
  );
}
