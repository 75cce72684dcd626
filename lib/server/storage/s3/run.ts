import { S3Error } from "./error.ts";
import { Multipart, type Upload, uploadIn } from "./multipart.ts";
import type { ListedObject, Objects } from "./objects.ts";

/*
 * A run is a sequence of full segments of a part. Each segment is stored as a part of one multipart upload,
 * which becomes one object when the run is completed. So bytes are stored only once, and a file that consists
 * of one run gets its final name by one copy inside S3. Stored segments are durable, but S3 cannot return
 * them before the upload is completed.
 *
 * The upload is not made under the file's final key, although that would save the copy. To read the bytes,
 * the upload has to be completed, which would publish the file. But a server that continues the download or
 * finishes its publishing has to read and verify the bytes first.
 *
 * The record, an object beside the run, contains the id of the upload. With it, another process can complete
 * the run with the segments that a dead or frozen server stored. Later requests of that server fail, because
 * the upload no longer exists.
 */

const RECORD = ".upload";

/**
 * Maximum number of segments of a run, together 4 GiB. One request copies at most 5 GiB, and lists at most
 * 1,000 parts.
 */
const MAX_SEGMENTS = 512;

/** A run that is being written: segments stored by one multipart upload. The methods throw S3Error. */
export class Run {
  readonly #multipart: Multipart;
  readonly #upload: Promise<Upload>;
  /** ETags of the stored segments; null for a segment that is being stored. */
  readonly #etags: (string | null)[] = [];
  #length = 0;

  /**
   * Begins a run.
   * @param key key of the object that the run becomes
   * @param offset offset in the download's part at which the run begins
   */
  constructor(
    private readonly objects: Objects,
    readonly key: string,
    readonly offset: number,
  ) {
    this.#multipart = new Multipart(objects);
    this.#upload = this.#begin();
    // Avoids an unhandled rejection. put() awaits `#begun` and throws its error.
    this.#upload.catch(() => undefined);
  }

  /** Offset in the part at which the next segment must begin. */
  get end(): number {
    return this.offset + this.#length;
  }

  get isFull(): boolean {
    return this.#etags.length === MAX_SEGMENTS;
  }

  /**
   * Stores the next segment.
   * @returns its ETag
   */
  async put(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
    const n = this.#etags.push(null);
    this.#length += bytes.length;
    const etag = await this.#multipart.put(await this.#upload, n, bytes);
    this.#etags[n - 1] = etag;
    return etag;
  }

  /** Completes the multipart upload, which creates the run's object. All segments must have been stored. */
  async complete(): Promise<ListedObject> {
    const etags = this.#etags.filter((etag) => etag !== null);
    if (etags.length < this.#etags.length) throw new Error("a part of a run is on its way");
    const { key } = this;
    const size = this.#length;
    try {
      await this.#multipart.complete(await this.#upload, etags, {});
    } catch (error) {
      // Status 404: an earlier call may have completed the upload although its answer was lost.
      if (!(error instanceof S3Error && error.status === 404)) throw error;
    }
    // A HEAD request reads the object's ETag, because not every S3 server returns it when an upload is
    // completed.
    const head = await this.objects.head(key);
    if (head?.size !== size) throw new S3Error("NoSuchUpload", 404);
    return { key, size, etag: head.etag };
  }

  async #begin(): Promise<Upload> {
    const upload = await this.#multipart.create(this.key, {});
    const record = new TextEncoder().encode(JSON.stringify(upload));
    await this.objects.put(this.key + RECORD, record);
    return upload;
  }
}

/**
 * Whether a key is the record of an incomplete run (a multipart upload).
 * @param objects all keys of the part
 */
export function isRecordOfRun(key: string, objects: ReadonlySet<string>): boolean {
  return key.endsWith(RECORD) && !objects.has(key.slice(0, -RECORD.length));
}

/**
 * Completes a run (a multipart upload) that another process left open, with its stored segments. A run
 * without segments is aborted.
 */
export async function settleRun(objects: Objects, record: ListedObject): Promise<void> {
  const multipart = new Multipart(objects);
  const upload = await uploadOf(objects, record);
  const parts = upload && (await multipart.parts(upload));
  if (upload && parts && parts.length > 0) await completeIfThere(multipart, upload, parts);
  else if (upload) await multipart.abort(upload);
  await objects.remove([record.key]);
}

/**
 * Aborts the incomplete runs (multipart uploads) of a part.
 * @param prefix common prefix of the part's keys
 */
export async function dropRuns(objects: Objects, prefix: string): Promise<void> {
  for await (const record of objects.list(prefix)) {
    const upload = record.key.endsWith(RECORD) ? await uploadOf(objects, record) : null;
    if (upload) await new Multipart(objects).abort(upload);
  }
}

async function completeIfThere(
  multipart: Multipart,
  upload: Upload,
  etags: string[],
): Promise<void> {
  try {
    await multipart.complete(upload, etags, {});
  } catch (error) {
    // Status 404: the process that began the upload has completed it meanwhile.
    if (!(error instanceof S3Error && error.status === 404)) throw error;
  }
}

/**
 * Reads the record of a run, which names its multipart upload.
 * @returns null if another process has removed the record
 */
async function uploadOf(
  objects: Objects,
  { key, size, etag }: ListedObject,
): Promise<Upload | null> {
  try {
    const bytes = await objects.get(key, { start: 0, end: size }, etag);
    return uploadIn(new TextDecoder().decode(bytes));
  } catch (error) {
    if (error instanceof S3Error && error.status === 404) return null;
    throw error;
  }
}
