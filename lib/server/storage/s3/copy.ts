import { S3Error } from "./error.ts";
import { Multipart } from "./multipart.ts";
import type { ListedObject, Objects } from "./objects.ts";

/** Error codes of S3 if the source of a copy does not exist, or was replaced by another object. */
const SOURCE_IS_GONE = new Set(["NoSuchKey", "PreconditionFailed"]);

/** Maximum number of bytes that are copied by one request. */
const MAX_COPY_BYTES = 1024 * 1024 * 1024;

/**
 * Copies an object of any size inside S3.
 * @returns false if the source does not exist, or was replaced meanwhile
 * @throws S3Error
 */
export async function copyObject(
  objects: Objects,
  from: ListedObject,
  to: string,
): Promise<boolean> {
  const { size } = from;
  if (size <= MAX_COPY_BYTES) return objects.copy(from, to);
  const multipart = new Multipart(objects);
  const upload = await multipart.create(to, {});
  try {
    const etags: string[] = [];
    for (let start = 0; start < size; start += MAX_COPY_BYTES) {
      const end = Math.min(size, start + MAX_COPY_BYTES);
      etags.push(await multipart.copy(upload, etags.length + 1, { ...from, start, end }));
    }
    await multipart.complete(upload, etags, {});
    return true;
  } catch (error) {
    await multipart.abort(upload).catch(() => undefined);
    if (error instanceof S3Error && SOURCE_IS_GONE.has(error.code)) return false;
    throw error;
  }
}
