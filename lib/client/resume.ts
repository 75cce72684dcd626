import { type FileIdentity, mayBeUnchanged } from "../protocol/identity.ts";
import type { DownloadRequest } from "../protocol/messages.ts";
import { type OnProgress, hashPrefix, type Read } from "./prefix-hash.ts";

/** The offset at which an attempt begins to send a file, and the hash of the bytes before it. */
export interface Start {
  offset: number;
  /** Size in bytes that the delivered file will have, counted from the file's first byte. */
  totalSize: number;
  hash: Bun.CryptoHasher;
  /**
   * Attributes of the file at the time when its first byte was read for this download. The server sends them
   * back when it asks to resume, and the client then compares them with the present ones.
   */
  identity: FileIdentity;
  /** Why the download starts over from the first byte; undefined if it resumes or has just begun. */
  reason?: string;
}

/**
 * Decides whether a download may resume. The file must be the same and no shorter than before, and the bytes
 * that the server already has must have the same checksum as the file's first bytes. Otherwise the download
 * starts over. A resumed file is delivered with the size that it had when the download began.
 * @param identity the open file's present attributes
 * @throws FdsError `protocol_error` if `onProgress` returned false
 */
export async function decideStart(
  request: DownloadRequest,
  identity: FileIdentity,
  read: Read,
  onProgress: OnProgress,
): Promise<Start> {
  const { offset, resume, checksum } = request;
  const fromBeginning = (reason?: string): Start => ({
    offset: 0,
    totalSize: identity.size,
    hash: new Bun.CryptoHasher(checksum),
    identity,
    reason,
  });
  if (offset === 0) return fromBeginning();
  if (!resume) return fromBeginning("the server sent no proof of what it has");
  if (!mayBeUnchanged(resume.identity, identity)) {
    return fromBeginning("the file changed since it was first read");
  }
  const hash = await hashPrefix(checksum, offset, read, onProgress);
  if (!hash) return fromBeginning("the file became shorter");
  if (resume.total_size < offset) {
    return fromBeginning("the server has more than it says that there is");
  }
  if (hash.copy().digest("hex") !== resume[`prefix_${checksum}`]) {
    return fromBeginning("the file's first bytes are not those that the server has");
  }
  return { offset, totalSize: resume.total_size, hash, identity: resume.identity };
}
