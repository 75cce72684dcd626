import { FdsError, type Problem } from "../../protocol/errors.ts";
import type { SetCounts, WantedSetFile, SetRows } from "../set.ts";

/** Counts the files and bytes of a set while they arrive. */
export class SetTally {
  #counts: SetCounts = { total: 0, received: 0, unchanged: 0, skipped: 0 };
  #bytes = 0;
  #totalSize = 0;
  #firstSkipped: Problem | undefined;

  get counts(): SetCounts {
    return { ...this.#counts };
  }

  /** Total size of the received files, in bytes. Files that were unchanged, and so not sent, do not count. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Total size in bytes of the files received or still to come. */
  get totalSize(): number {
    return this.#totalSize;
  }

  /** The error of the first skipped file; undefined if no file was skipped. */
  get firstSkipped(): Problem | undefined {
    return this.#firstSkipped;
  }

  /** Whether the set failed: some files were skipped, and none is stored. */
  get isFailure(): boolean {
    const { received, unchanged } = this.#counts;
    return received + unchanged === 0 && this.#firstSkipped !== undefined;
  }

  /** Reads the counts from the rows of the set's files. */
  async read(rows: SetRows, downloadId: string): Promise<void> {
    const { bytesListed, bytesReceived, ...counts } = await rows.counts(downloadId);
    this.#counts = counts;
    this.#bytes = bytesReceived;
    this.#totalSize = bytesListed;
    const [skipped] = await rows.list(downloadId, { status: "skipped", limit: 1 });
    this.#firstSkipped ??= skipped?.error ?? undefined;
  }

  received(size: number): void {
    this.#counts.received++;
    this.#bytes += size;
  }

  unchanged(file: WantedSetFile): void {
    this.#counts.unchanged++;
    this.#totalSize -= file.size;
  }

  skipped(file: WantedSetFile, error: Problem): void {
    this.#counts.skipped++;
    this.#totalSize -= file.size;
    this.#firstSkipped ??= error;
  }

  /**
   * Adds the change of one file's size to the total size.
   * @param bytes the new size minus the old size
   * @param maxBytes maximum size of the set in bytes; null: no limit
   * @throws FdsError `set_too_large`
   */
  grow(bytes: number, maxBytes: number | null): void {
    if (!Number.isSafeInteger(this.#totalSize + bytes)) {
      throw new FdsError("set_too_large", "the files have more bytes than can be counted");
    }
    this.#totalSize += bytes;
    if (bytes > 0 && maxBytes !== null && this.#totalSize > maxBytes) {
      throw new FdsError("set_too_large", "the files grew over the most that the set may have");
    }
  }
}
