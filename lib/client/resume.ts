import { FdsError } from "../protocol/errors.ts";
import { type FileIdentity, stillTheSame } from "../protocol/identity.ts";
import type { DownloadRequest } from "../protocol/messages.ts";
import { release } from "../util/release.ts";

/** Bytes hashed at a time: it holds the event loop for about 1.5 ms. */
const BLOCK = 1024 * 1024;

/** Where a download begins, with the hash of what lies before. */
export interface Start {
  offset: number;
  /** Bytes to deliver, from the first byte of the file. */
  totalSize: number;
  hash: Bun.CryptoHasher;
  /** Why it starts over, where it does. */
  reason?: string;
}

/**
 * When a download may resume: the file is what it was or only grew, and its first bytes are those
 * that the server has, which both sides read again and compare by their checksum. Otherwise it starts
 * over. A resumed file is delivered at the size it had at first.
 * @param identity of the file as it is open now
 * @param read gives bytes of the file, fewer than asked for at its end; each time in a buffer of
 *   their own, which is released once they are hashed
 * @param goOn called with the bytes read so far; false ends it
 * @throws FdsError `protocol_error` when it was ended
 */
export async function decideStart(
  request: DownloadRequest,
  identity: FileIdentity,
  read: (offset: number, length: number) => Promise<Uint8Array>,
  goOn: (offset: number) => boolean,
): Promise<Start> {
  const { offset, resume, checksum } = request;
  const startOver = (reason?: string): Start => ({
    offset: 0,
    totalSize: identity.size,
    hash: new Bun.CryptoHasher(checksum),
    reason,
  });
  if (offset === 0) return startOver();
  if (!resume) return startOver("the server sent no proof of what it has");
  if (!stillTheSame(resume.identity, identity)) {
    return startOver("the file changed since it was first read");
  }
  const hash = new Bun.CryptoHasher(checksum);
  for (let at = 0; at < offset;) {
    const block = await read(at, Math.min(BLOCK, offset - at));
    if (block.length === 0) return startOver("the file became shorter");
    hash.update(block);
    at += block.length;
    release(block);
    if (!goOn(at)) throw new FdsError("protocol_error", "the server wants no more of it");
  }
  if (hash.copy().digest("hex") !== resume[`prefix_${checksum}`]) {
    return startOver("the file's first bytes are not those that the server has");
  }
  return { offset, totalSize: resume.total_size, hash };
}
