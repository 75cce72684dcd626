import type { ChecksumAlgorithm } from "../protocol/checksum.ts";

export {
  CHECKSUM_ALGORITHMS,
  CHECKSUM_NAMES,
  type ChecksumAlgorithm,
} from "../protocol/checksum.ts";

/** The part of a record that says what its file's digest is. */
export type Digested = { checksum: ChecksumAlgorithm } & Record<ChecksumAlgorithm, string | null>;

/** The digest of a download's file, by the algorithm of its `checksum`; null until it is known. */
export function digestOf(record: Digested): string | null {
  return record[record.checksum];
}

/** The ETag of a download's file: the MD5, or another digest with its algorithm before it. */
export function entityTag(checksum: ChecksumAlgorithm, digest: string): string {
  return checksum === "md5" ? `"${digest}"` : `"${checksum}:${digest}"`;
}
