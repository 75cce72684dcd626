/**
 * Checksums that prove that a file arrived intact. MD5 is the default, SHA-256 also protects against forgery.
 */
export const CHECKSUM_ALGORITHMS = ["md5", "sha256"] as const;
export type ChecksumAlgorithm = (typeof CHECKSUM_ALGORITHMS)[number];

/** Names of the algorithms, as shown to people. */
export const CHECKSUM_NAMES = {
  md5: "MD5",
  sha256: "SHA-256",
} as const satisfies Record<ChecksumAlgorithm, string>;
