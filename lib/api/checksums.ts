import type { ChecksumAlgorithm } from "../protocol/checksum.ts";

export {
  CHECKSUM_ALGORITHMS,
  CHECKSUM_NAMES,
  type ChecksumAlgorithm,
} from "../protocol/checksum.ts";

/**
 * The fields of a download's record about the checksum of its file: `checksum` names the algorithm, and the
 * field of that name holds the digest.
 */
export type ChecksumFields = { checksum: ChecksumAlgorithm } & Record<
  ChecksumAlgorithm,
  string | null
>;

/**
 * Returns the digest of a download's file in the download's checksum algorithm; null while the digest is
 * unknown.
 */
export function digestOf(record: ChecksumFields): string | null {
  return record[record.checksum];
}

/**
 * Returns the ETag of a download's file: the digest in quotes. A digest other than MD5 is prefixed by its
 * algorithm.
 */
export function entityTag(checksum: ChecksumAlgorithm, digest: string): string {
  return checksum === "md5" ? `"${digest}"` : `"${checksum}:${digest}"`;
}
