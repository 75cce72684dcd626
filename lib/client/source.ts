import { FdsError } from "../protocol/errors.ts";
import { type FileIdentity, isUnchanged, mayBeUnchanged } from "../protocol/identity.ts";
import type { DownloadRequest } from "../protocol/messages.ts";
import { readAt } from "./block-reader.ts";
import type { SourceFile } from "./owner-rules/source-file.ts";
import { type OnProgress, hashPrefix } from "./prefix-hash.ts";
import { decideStart, type Start } from "./resume.ts";

/**
 * An open file that is being sent. Decides at which offset to begin, and checks at the end that the file did
 * not change.
 */
export class Source {
  private constructor(
    private readonly file: SourceFile,
    private readonly request: DownloadRequest,
    readonly start: Start,
    /** The file's attributes at the last time when its content was known to be unchanged. */
    private verifiedIdentity: FileIdentity,
  ) {}

  /**
   * Decides at which offset to begin sending an open file.
   * @param onProgress called with the number of bytes hashed so far; false ends the hashing
   */
  static async open(
    file: SourceFile,
    request: DownloadRequest,
    onProgress: OnProgress,
  ): Promise<Source> {
    const identity = await file.identity();
    return new Source(
      file,
      request,
      await decideStart(request, identity, readerOf(file), onProgress),
      identity,
    );
  }

  /**
   * Checks that the sent bytes are one state of the file, not a mixture of two. If only times differ, the
   * file is hashed again and compared. A file that was deleted or replaced meanwhile counts as changed.
   * @param digest of the bytes sent, as hex
   * @throws FdsError `source_changed`
   */
  async confirm(digest: string, onProgress: OnProgress): Promise<void> {
    const { file } = this;
    const now = await file.identity();
    if (!isUnchanged(this.verifiedIdentity, now)) {
      const isWorthHashing = mayBeUnchanged(this.verifiedIdentity, now) && (await file.hasName());
      if (!isWorthHashing || !(await this.#hasDigest(digest, onProgress))) {
        throw new FdsError("source_changed", "the file changed while it was read");
      }
    }
    this.verifiedIdentity = now;
  }

  /** Hashes the file again, and reports whether the digest is the same. */
  async #hasDigest(digest: string, onProgress: OnProgress): Promise<boolean> {
    const { file, request, start } = this;
    const hash = await hashPrefix(request.checksum, start.totalSize, readerOf(file), onProgress);
    return hash?.digest("hex") === digest;
  }
}

/** Returns a function that reads blocks of a file, each into a new buffer. */
function readerOf(file: SourceFile) {
  return (offset: number, length: number) => readAt(file, offset, Buffer.allocUnsafeSlow(length));
}
