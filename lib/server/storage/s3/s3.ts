import type { FreeSpace, Part, SetStorage, Storage, StoredBytes, StoredFile } from "../storage.ts";
import {
  checkedClientId,
  checkedDownloadId,
  checkedFilePath,
  checkedPublishedPath,
  isDownloadId,
} from "../paths.ts";
import { Bucket, type BucketOptions } from "./bucket.ts";
import { compose, endUpload, isTaken } from "./compose.ts";
import { FdsError } from "../../../protocol/errors.ts";
import { inS3, problemInS3, S3Error } from "./error.ts";
import { Away } from "../../../util/wait-until-there.ts";
import { Memory } from "./memory.ts";
import { Objects } from "./objects.ts";
import { S3Part } from "./part.ts";
import { type Piece, piecesIn, SEGMENT } from "./pieces.ts";
import type { S3Context } from "./place.ts";
import { dropRuns } from "./run.ts";
import { S3Sets } from "./sets.ts";
import { storedBytes } from "./stored-bytes.ts";

export interface S3Options extends BucketOptions {
  /** Prefix of all keys. It is empty or ends in `/`. */
  prefix: string;
  /** True: several servers write to the bucket. */
  isShared?: boolean;
  /** Memory budget, in bytes, for the bytes of parts on their way to or from S3. */
  memory: number;
  /** Size of a full segment, in bytes. S3 accepts at least 5 MiB. */
  segment?: number;
  /** Maximum number of parts in a multipart upload. Default: the limit of Amazon S3. */
  maxParts?: number;
  /** Monotonic clock, in ms. */
  now?: () => number;
}

/** Maximum number of parts in a multipart upload of Amazon S3. */
const MAX_PARTS = 10_000;
/** How long a REST call retries requests to S3, in ms. Transfers retry without a limit. */
const CALLER_MS = 10_000;
/** Time without an answer after which a check considers S3 unavailable, in ms. */
const CHECK_MS = 2_000;
/** How long the result of a check is used, in ms. */
const CHECK_GOOD_FOR_MS = 1_000;
/** How long requests are retried while the server stops, in ms. */
const STOPPING_MS = 3_000;
/** Name of the object that marks an empty part, which has no pieces. */
const OPENED = "opened";

/**
 * Opens a storage in a bucket: parts are in `<prefix>.server/parts/<download_id>/`, published files in
 * `<prefix><client_id>/<name>`.
 * @throws Away if S3 does not answer or fails temporarily
 * @throws FdsError with the reason why the bucket cannot be used
 */
export async function openS3Storage(options: S3Options): Promise<Storage> {
  const storage = new S3Storage(options);
  try {
    await storage.check();
  } catch (error) {
    const cause = error instanceof FdsError ? error.cause : undefined;
    if (!(cause instanceof S3Error && cause.isTemporary)) throw error;
    await storage.close();
    throw new Away(problemInS3("use the bucket", cause).message, { cause: error });
  }
  return storage;
}

class S3Storage implements Storage {
  readonly sets: SetStorage;
  readonly checkpointsInTurn = false;
  readonly #stopping = new AbortController();
  /** Access to the bucket for transfers. Requests are retried without a limit. */
  readonly #objects: Objects;
  /** Access to the bucket for REST calls. Requests are retried for a short time. */
  readonly #callerObjects: Objects;
  /** Access to the bucket for checks. Their time is limited to {@link CHECK_MS}. */
  readonly #checkObjects: Objects;
  readonly #context: S3Context;
  readonly #identity: string;
  /**
   * Pieces of the parts that this process closed. The key is the download's id. Publishing uses these pieces,
   * because this process has verified their bytes.
   */
  readonly #closedPieces = new Map<string, Piece[]>();

  #checked: Promise<void> | undefined;
  #checkedAt = 0;

  constructor(options: S3Options) {
    const bucket = new Bucket(options);
    this.#identity = `${options.endpoint} ${options.bucket}/${options.prefix}`;
    const { signal } = this.#stopping;
    this.#objects = new Objects(bucket, { maxRetryMs: Infinity, signal });
    this.#callerObjects = new Objects(bucket, { maxRetryMs: CALLER_MS, signal });
    this.#checkObjects = new Objects(bucket, { maxRetryMs: CHECK_MS, answerMs: CHECK_MS, signal });
    const { prefix, segment = SEGMENT, maxParts = MAX_PARTS } = options;
    const { now = performance.now.bind(performance) } = options;
    const memory = new Memory(options.memory);
    this.#context = { objects: this.#objects, memory, segment, maxParts, prefix, now };
    this.sets = new S3Sets(this.#context, options.isShared ?? false);
  }

  /**
   * Checks the bucket, at most once in {@link CHECK_GOOD_FOR_MS}. `/health` can be called without a token,
   * and each request to S3 costs money.
   */
  check(): Promise<void> {
    const now = performance.now();
    if (this.#checked === undefined || now - this.#checkedAt > CHECK_GOOD_FOR_MS) {
      this.#checkedAt = now;
      this.#checked = inS3("use the bucket", () => this.#checkObjects.check());
    }
    return this.#checked;
  }

  async openPart(downloadId: string): Promise<Part> {
    const prefix = this.#partPrefix(downloadId);
    return inS3("open the part", async () => {
      const pieces = await piecesIn(this.#objects, prefix);
      if (!pieces) await this.#objects.put(prefix + OPENED, new Uint8Array(0));
      return new S3Part({
        ...this.#context,
        prefix,
        pieces: pieces ?? [],
        useRuns: true,
        onClose: (closed) => {
          if (closed) this.#closedPieces.set(downloadId, closed);
          else this.#closedPieces.delete(downloadId);
        },
      });
    });
  }

  async removePart(downloadId: string): Promise<void> {
    const prefix = this.#partPrefix(downloadId);
    this.#closedPieces.delete(downloadId);
    await inS3("remove the part", async () => {
      await endUpload(this.#objects, prefix);
      await dropRuns(this.#objects, prefix);
      await this.#objects.removeAll(prefix);
    });
  }

  async listParts(): Promise<string[]> {
    const prefix = `${this.#context.prefix}.server/parts/`;
    const names = await inS3("list the parts", () => this.#objects.folders(prefix));
    return names.filter(isDownloadId);
  }

  async publish(downloadId: string, savedPath: string): Promise<boolean> {
    const prefix = this.#partPrefix(downloadId);
    const key = this.#context.prefix + checkedPublishedPath(savedPath);
    return inS3("publish the file", async () => {
      if (!(await this.#composeFile(downloadId, key, prefix))) return false;
      // The pieces are removed last. Until then, an interrupted call can be repeated.
      this.#closedPieces.delete(downloadId);
      await this.#objects.removeAll(prefix);
      return true;
    });
  }

  async openFile(savedPath: string): Promise<StoredFile | null> {
    const key = this.#context.prefix + checkedFilePath(savedPath);
    const head = await inS3("open the file", () => this.#callerObjects.head(key));
    if (!head) return null;
    const slice = (start: number, end: number): StoredBytes =>
      storedBytes(this.#callerObjects, { key, etag: head.etag, start, end });
    return { size: head.size, slice };
  }

  async identity(): Promise<string> {
    return this.#identity;
  }

  async freeSpace(): Promise<FreeSpace> {
    return { free: Infinity, total: Infinity };
  }

  async unpublish(savedPath: string): Promise<void> {
    const key = this.#context.prefix + checkedPublishedPath(savedPath);
    await inS3("remove the file", () => this.#callerObjects.remove([key]));
  }

  async namesOf(clientId: string): Promise<Set<string>> {
    const prefix = `${this.#context.prefix}${checkedClientId(clientId)}/`;
    const { objects, folders } = await inS3("look at the published files", () =>
      this.#callerObjects.names(prefix),
    );
    return new Set([...objects, ...folders]);
  }

  /** Aborts all requests to S3 and their retries after {@link STOPPING_MS}. */
  stopSoon(): void {
    setTimeout(() => this.#stopping.abort(), STOPPING_MS).unref();
  }

  async close(): Promise<void> {
    this.#stopping.abort();
  }

  /**
   * Composes the part's pieces into the published object, unless an earlier call has done that.
   * @returns false if the name is taken by an object of another download
   */
  async #composeFile(downloadId: string, key: string, prefix: string): Promise<boolean> {
    const found = await this.#objects.head(key);
    if (found && found.downloadId !== downloadId) return false;
    if (found) {
      await endUpload(this.#objects, prefix);
      return true;
    }
    const pieces = this.#closedPieces.get(downloadId) ?? (await piecesIn(this.#objects, prefix));
    if (!pieces) throw new FdsError("storage_error", "the part is not there");
    try {
      await compose(key, pieces, {
        ...this.#context,
        prefix,
        newObject: { onlyIfNew: true, downloadId },
      });
      return true;
    } catch (error) {
      if (!isTaken(error)) throw error;
      const taken = await this.#objects.head(key);
      if (!taken) throw error;
      return taken.downloadId === downloadId;
    }
  }

  #partPrefix(downloadId: string): string {
    return `${this.#context.prefix}.server/parts/${checkedDownloadId(downloadId)}/`;
  }
}
