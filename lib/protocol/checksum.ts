/** What proves that a file arrived whole: MD5 by default, SHA-256 where forgery matters too. */
export const CHECKSUM_ALGORITHMS = ["md5", "sha256"] as const;
export type ChecksumAlgorithm = (typeof CHECKSUM_ALGORITHMS)[number];

/** Names of the algorithms for people. */
export const CHECKSUM_NAMES = {
  md5: "MD5",
  sha256: "SHA-256",
} as const satisfies Record<ChecksumAlgorithm, string>;
