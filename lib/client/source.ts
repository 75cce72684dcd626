import { FdsError } from "../protocol/errors.ts";
import { type FileIdentity, mayBeTheSame, stillTheSame } from "../protocol/identity.ts";
import type { DownloadRequest } from "../protocol/messages.ts";
import { readAt } from "./block-reader.ts";
import type { SourceFile } from "./owner-rules/source-file.ts";
import { type GoOn, hashPrefix } from "./prefix-hash.ts";
import { decideStart, type Start } from "./resume.ts";

/** An open file that is being sent: where it begins and, at the end, whether it is still the same. */
export class Source {
  private constructor(
    private readonly file: SourceFile,
    private readonly request: DownloadRequest,
    readonly start: Start,
    /** The last state of the file that is known to hold what is sent. */
    private seen: FileIdentity,
  ) {}

  /** @param goOn see decideStart */
  static async open(file: SourceFile, request: DownloadRequest, goOn: GoOn): Promise<Source> {
    const seen = await file.identity();
    return new Source(file, request, await decideStart(request, seen, readerOf(file), goOn), seen);
  }

  /**
   * Makes sure that what was sent is one state of the file, not a mixture of two. Where only times differ,
   * the bytes are read once more and decide. A file without a name is no longer what was asked for: it was
   * deleted or replaced.
   * @param digest of what was sent
   * @throws FdsError `source_changed`
   */
  async confirm(digest: string, goOn: GoOn): Promise<void> {
    const { file } = this;
    const now = await file.identity();
    if (!stillTheSame(this.seen, now)) {
      const isAsked = mayBeTheSame(this.seen, now) && (await file.hasName());
      if (!isAsked || !(await this.#has(digest, goOn))) {
        throw new FdsError("source_changed", "the file changed while it was read");
      }
    }
    this.seen = now;
  }

  /** Whether the file, read again, has this digest. */
  async #has(digest: string, goOn: GoOn): Promise<boolean> {
    const { file, request, start } = this;
    const hash = await hashPrefix(request.checksum, start.totalSize, readerOf(file), goOn);
    return hash?.digest("hex") === digest;
  }
}

/** Reads blocks of a file, each into its own buffer. */
function readerOf(file: SourceFile) {
  return (offset: number, length: number) => readAt(file, offset, Buffer.allocUnsafeSlow(length));
}
