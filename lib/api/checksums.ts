import type { ChecksumAlgorithm } from "../protocol/checksum.ts";

export {
  CHECKSUM_ALGORITHMS,
  CHECKSUM_NAMES,
  type ChecksumAlgorithm,
} from "../protocol/checksum.ts";

/** The fields of a download's record that hold the digest of its file. */
export type Digested = { checksum: ChecksumAlgorithm } & Record<ChecksumAlgorithm, string | null>;

/**
 * Returns the digest of a download's file in the download's checksum algorithm; null while the digest is
 * unknown.
 */
export function digestOf(record: Digested): string | null {
  return record[record.checksum];
}

/**
 * Returns the ETag of a download's file: an MD5 digest as it is, any other digest prefixed by its algorithm.
 */
export function entityTag(checksum: ChecksumAlgorithm, digest: string): string {
  return checksum === "md5" ? `"${digest}"` : `"${checksum}:${digest}"`;
}
