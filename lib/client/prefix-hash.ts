import type { ChecksumAlgorithm } from "../protocol/checksum.ts";
import { FdsError } from "../protocol/errors.ts";
import { release } from "../util/release.ts";

/** Bytes hashed at a time, which blocks the event loop for about 1.5 ms. */
const BLOCK = 1024 * 1024;

/**
 * Reads bytes of a file. At the end of the file, the result is shorter than `length`. The result has its own
 * buffer, which is released after hashing.
 */
export type Read = (offset: number, length: number) => Promise<Uint8Array>;

/**
 * Called during a long operation with the number of bytes hashed or names examined so far. Returning false
 * ends the operation.
 */
export type OnProgress = (done: number) => boolean;

/**
 * Hashes the first bytes of a file.
 * @returns null if the file is shorter than `length` bytes
 * @throws FdsError `protocol_error` if `onProgress` returned false
 */
export async function hashPrefix(
  checksum: ChecksumAlgorithm,
  length: number,
  read: Read,
  onProgress: OnProgress,
): Promise<Bun.CryptoHasher | null> {
  const hash = new Bun.CryptoHasher(checksum);
  for (let at = 0; at < length;) {
    const block = await read(at, Math.min(BLOCK, length - at));
    if (block.length === 0) return null;
    hash.update(block);
    at += block.length;
    release(block);
    if (!onProgress(at)) throw new FdsError("protocol_error", "the server wants no more of it");
  }
  return hash;
}
