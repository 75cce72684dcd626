import { S3Error } from "./error.ts";
import { Multipart, type Upload, uploadIn } from "./multipart.ts";
import type { Listed, Objects } from "./objects.ts";

/*
 * A run is a sequence of full segments. Each is a part of one multipart upload, which becomes one object. A
 * stored part is durable, but cannot be read before the run is completed. The bytes are stored once, and a
 * file that is a single run gets its name by one copy inside S3.
 *
 * The upload is not made under the file's final key, where completing it would publish the file without a copy:
 * S3 gives no byte of an upload back before it is completed, and who continues the download, or finishes its
 * publishing, has to read and prove the bytes before they may have that key.
 *
 * An object beside the run, its record, names the upload. So another process can complete the run with the
 * parts that a dead or frozen server stored. Later requests of that server fail, as the upload is gone.
 */

const RECORD = ".upload";

/** Most segments of a run, 4 GiB: one request copies at most 5 GiB, and lists at most 1,000 parts. */
const MOST_SEGMENTS = 512;

/** A run while it is written. Methods throw S3Error. */
export class Run {
  readonly #multipart: Multipart;
  readonly #begun: Promise<Upload>;
  /** ETags of the parts; null while one is being stored. */
  readonly #etags: (string | null)[] = [];
  #length = 0;

  /** @param offset in the part of the download */
  constructor(
    private readonly objects: Objects,
    readonly key: string,
    readonly offset: number,
  ) {
    this.#multipart = new Multipart(objects);
    this.#begun = this.#begin();
    // put() throws the error.
    this.#begun.catch(() => undefined);
  }

  /** Offset at which the next segment must begin. */
  get end(): number {
    return this.offset + this.#length;
  }

  get isFull(): boolean {
    return this.#etags.length === MOST_SEGMENTS;
  }

  /** Stores the next part. @returns its ETag */
  async put(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
    const n = this.#etags.push(null);
    this.#length += bytes.length;
    const etag = await this.#multipart.put(await this.#begun, n, bytes);
    this.#etags[n - 1] = etag;
    return etag;
  }

  /** Makes the object; all parts must be stored. */
  async complete(): Promise<Listed> {
    const etags = this.#etags.filter((etag) => etag !== null);
    if (etags.length < this.#etags.length) throw new Error("a part of a run is on its way");
    const { key } = this;
    const size = this.#length;
    try {
      await this.#multipart.complete(await this.#begun, etags, {});
    } catch (error) {
      // An earlier call may have completed it and lost the answer.
      if (!(error instanceof S3Error && error.status === 404)) throw error;
    }
    // Not every S3 tells the ETag in the answer.
    const head = await this.objects.head(key);
    if (head?.size !== size) throw new S3Error("NoSuchUpload", 404);
    return { key, size, etag: head.etag };
  }

  async #begin(): Promise<Upload> {
    const under = await this.#multipart.create(this.key, {});
    const record = new TextEncoder().encode(JSON.stringify(under));
    await this.objects.put(this.key + RECORD, record);
    return under;
  }
}

/** Whether a key is the record of a run that is not complete. @param objects all keys of the part */
export function isRecordOfRun(key: string, objects: ReadonlySet<string>): boolean {
  return key.endsWith(RECORD) && !objects.has(key.slice(0, -RECORD.length));
}

/** Completes a run of another process with its stored parts, or drops it if there are none. */
export async function settleRun(objects: Objects, record: Listed): Promise<void> {
  const multipart = new Multipart(objects);
  const under = await uploadOf(objects, record);
  const parts = under && (await multipart.parts(under));
  if (under && parts && parts.length > 0) await completeIfThere(multipart, under, parts);
  else if (under) await multipart.abort(under);
  await objects.remove([record.key]);
}

/** Aborts the incomplete runs of a part. @param prefix of the part */
export async function dropRuns(objects: Objects, prefix: string): Promise<void> {
  for await (const record of objects.list(prefix)) {
    const under = record.key.endsWith(RECORD) ? await uploadOf(objects, record) : null;
    if (under) await new Multipart(objects).abort(under);
  }
}

async function completeIfThere(
  multipart: Multipart,
  under: Upload,
  etags: string[],
): Promise<void> {
  try {
    await multipart.complete(under, etags, {});
  } catch (error) {
    // Its writer has completed it meanwhile.
    if (!(error instanceof S3Error && error.status === 404)) throw error;
  }
}

/** @returns null if another process has settled it */
async function uploadOf(objects: Objects, { key, size, etag }: Listed): Promise<Upload | null> {
  try {
    const bytes = await objects.get(key, { start: 0, end: size }, etag);
    return uploadIn(new TextDecoder().decode(bytes));
  } catch (error) {
    if (error instanceof S3Error && error.status === 404) return null;
    throw error;
  }
}
