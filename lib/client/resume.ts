import { type FileIdentity, mayBeTheSame } from "../protocol/identity.ts";
import type { DownloadRequest } from "../protocol/messages.ts";
import { type GoOn, hashPrefix, type Read } from "./prefix-hash.ts";

/** Where a download begins, and the hash of the bytes before it. */
export interface Start {
  offset: number;
  /** Bytes to deliver, from the first byte of the file. */
  totalSize: number;
  hash: Bun.CryptoHasher;
  /**
   * The identity by which the server knows the file: its state when its first byte was read for this
   * download.
   */
  identity: FileIdentity;
  /** Why it starts over, if it does. */
  reason?: string;
}

/**
 * Decides whether a download may resume: it must be the same file, not shorter than before, and both sides
 * must have the same first bytes, which they read again and compare by checksum. Otherwise it starts over.
 * A resumed file is delivered at the size that it had at first.
 * @param identity of the open file now
 * @throws FdsError `protocol_error` when `goOn` ended it
 */
export async function decideStart(
  request: DownloadRequest,
  identity: FileIdentity,
  read: Read,
  goOn: GoOn,
): Promise<Start> {
  const { offset, resume, checksum } = request;
  const startOver = (reason?: string): Start => ({
    offset: 0,
    totalSize: identity.size,
    hash: new Bun.CryptoHasher(checksum),
    identity,
    reason,
  });
  if (offset === 0) return startOver();
  if (!resume) return startOver("the server sent no proof of what it has");
  if (!mayBeTheSame(resume.identity, identity)) {
    return startOver("the file changed since it was first read");
  }
  const hash = await hashPrefix(checksum, offset, read, goOn);
  if (!hash) return startOver("the file became shorter");
  if (resume.total_size < offset) {
    return startOver("the server has more than it says that there is");
  }
  if (hash.copy().digest("hex") !== resume[`prefix_${checksum}`]) {
    return startOver("the file's first bytes are not those that the server has");
  }
  return { offset, totalSize: resume.total_size, hash, identity: resume.identity };
}
