import { FdsError } from "../../../protocol/errors.ts";
import { checkedDownloadId, checkedPublishedPath, isDownloadId } from "../paths.ts";
import type { SetFolder, SetStorage } from "../storage.ts";
import { inS3, S3Error } from "./error.ts";
import { copyObject } from "./copy.ts";
import type { ListedObject } from "./objects.ts";
import type { S3Context } from "./place.ts";
import { FILES, removeAll, S3SetFolder } from "./set-folder.ts";
import { atOnce } from "../../../util/at-once.ts";

/** Number of objects that are copied at the same time. */
const COPIES = 64;
/** Name of the object that records the name under which a set is being published. */
const CLAIM = "claim";

/**
 * Stores sets in a bucket: unfinished ones in `<prefix>.server/sets/<download_id>/`, published ones in
 * `<prefix><client_id>/<name>/` with the checksums beside them. The checksums are stored last, and mark the
 * set as complete.
 */
export class S3Sets implements SetStorage {
  readonly maxUnflushed: number;
  readonly checkpointBytes: number;
  /** False, because a copy of a file inside S3 takes as much space as the original. */
  readonly sharesBytes = false;

  /**
   * The key is a download's id. The value is the epoch in the key prefix of this process's latest attempt
   * that is over. This process no longer writes objects with this prefix.
   */
  readonly #ended = new Map<string, number>();

  constructor(
    private readonly context: S3Context,
    /** True: several servers write to the bucket. */
    private readonly isShared: boolean,
  ) {
    this.maxUnflushed = this.checkpointBytes = context.segment;
  }

  open(downloadId: string, epoch = 0): Promise<SetFolder> {
    return inS3("open the set", async () => {
      const all = await this.#attempts(downloadId, epoch);
      const [last] = all;
      const isOwn = last !== undefined && this.#ended.get(downloadId) === last;
      const ownEpoch = isOwn ? last : epoch;
      const prefixOf = (attempt: number) => this.#attemptPrefix(downloadId, attempt);
      return S3SetFolder.open(prefixOf(ownEpoch), this.context, {
        formerPrefixes: all.filter((attempt) => attempt < ownEpoch).map(prefixOf),
        onClose: () => this.isShared && this.#ended.set(downloadId, ownEpoch),
      });
    });
  }

  async remove(downloadId: string): Promise<void> {
    const { objects } = this.context;
    const prefix = this.#setPrefix(downloadId);
    this.#ended.delete(downloadId);
    await inS3("remove the set", () => removeAll(objects, prefix));
  }

  async list(): Promise<string[]> {
    const { objects, prefix } = this.context;
    const names = await inS3("list the sets", () => objects.folders(`${prefix}.server/sets/`));
    return names.filter(isDownloadId);
  }

  async publish(
    downloadId: string,
    savedPath: string,
    sums: { suffix: string; text: string },
    epoch = 0,
  ): Promise<boolean> {
    const { objects, prefix } = this.context;
    const final = prefix + checkedPublishedPath(savedPath);
    const finalSums = prefix + checkedPublishedPath(savedPath + sums.suffix);
    const isPublished = await inS3("publish the set", async () => {
      const published = await objects.head(finalSums);
      if (published) return published.downloadId === downloadId;
      if (!(await this.#claim(downloadId, final))) return false;
      const [last = epoch] = await this.#attempts(downloadId, epoch);
      await this.#copyFiles(this.#attemptPrefix(downloadId, last) + FILES, final);
      const bytes = new TextEncoder().encode(sums.text);
      try {
        await objects.put(finalSums, bytes, { onlyIfNew: true, downloadId });
        return true;
      } catch (error) {
        if (!(error instanceof S3Error && error.status === 412)) throw error;
        // An earlier call may have stored the checksums although its answer was lost.
        if ((await objects.head(finalSums))?.downloadId === downloadId) return true;
        await objects.removeAll(`${final}/`);
        await objects.remove([this.#setPrefix(downloadId) + CLAIM]);
        return false;
      }
    });
    if (isPublished) await this.remove(downloadId);
    return isPublished;
  }

  async unpublish(_: string, savedPath: string, suffix: string): Promise<void> {
    const { objects, prefix } = this.context;
    const final = prefix + checkedPublishedPath(savedPath);
    const sums = prefix + checkedPublishedPath(savedPath + suffix);
    await inS3("remove the set", async () => {
      await objects.remove([sums]);
      await objects.removeAll(`${final}/`);
    });
  }

  /**
   * Reserves a name for a set, or continues with the name that the download has already reserved.
   * @returns false if the name is taken by another file or set
   */
  async #claim(downloadId: string, final: string): Promise<boolean> {
    const { objects } = this.context;
    const key = this.#setPrefix(downloadId) + CLAIM;
    const claim = new TextEncoder().encode(final);
    const head = await objects.head(key);
    const claimed = head && (await objects.get(key, { start: 0, end: head.size }, head.etag));
    if (claimed && Buffer.from(claimed).equals(claim)) return true;
    if (await objects.head(final)) return false;
    for await (const _ of objects.list(`${final}/`)) return false;
    await objects.put(key, claim);
    return true;
  }

  async #copyFiles(from: string, final: string): Promise<void> {
    const { objects } = this.context;
    const files: ListedObject[] = [];
    for await (const file of objects.list(from)) files.push(file);
    if (files.length === 0) throw new FdsError("storage_error", "the set has no files");
    await atOnce(COPIES, files, async (file) => {
      const to = `${final}/${file.key.slice(from.length)}`;
      if (!(await copyObject(objects, file, to))) {
        throw new FdsError("storage_error", "a file of the set is missing");
      }
    });
  }

  /**
   * Returns the epochs, up to `upTo`, of the attempts that have stored objects, latest first. The result is
   * empty unless several servers write.
   */
  async #attempts(downloadId: string, upTo: number): Promise<number[]> {
    if (!this.isShared) return [];
    const names = await this.context.objects.folders(this.#setPrefix(downloadId));
    const all = names.filter((name) => /^\d+$/.test(name)).map(Number);
    return all.filter((attempt) => attempt <= upTo).toSorted((a, b) => b - a);
  }

  /** Returns the prefix of an attempt's keys. If several servers write, the prefix contains the epoch. */
  #attemptPrefix(downloadId: string, attempt: number): string {
    return this.#setPrefix(downloadId) + (this.isShared ? `${attempt}/` : "");
  }

  #setPrefix(downloadId: string): string {
    return `${this.context.prefix}.server/sets/${checkedDownloadId(downloadId)}/`;
  }
}
