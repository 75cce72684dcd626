import { CHECKSUM_NAMES, type ChecksumAlgorithm } from "../../protocol/checksum.ts";
import type { Problem } from "../../protocol/errors.ts";
import { isUnchanged } from "../../protocol/identity.ts";
import type { FileComplete } from "../../protocol/messages.ts";
import type { Source } from "../download.ts";

/** The reason why a complete file is not accepted. */
export interface Flaw {
  problem: Problem;
  /** True: another attempt would have the same result. */
  final: boolean;
}

/**
 * Compares the stored bytes with the client's statements about the file.
 * @param source size and identity of the file when it was first opened
 * @param complete the client's message at the end of the file
 * @param digest digest of the stored bytes, lower-case hex
 * @returns null if the file is accepted
 */
export function findFlaw(
  source: Source,
  complete: FileComplete,
  checksum: ChecksumAlgorithm,
  digest: string,
): Flaw | null {
  if (!source.identity || !isUnchanged(source.identity, complete.identity)) {
    const message = "the file changed while it was read";
    return { problem: { code: "source_changed", message }, final: false };
  }
  const name = CHECKSUM_NAMES[checksum];
  const clientDigest = complete[checksum];
  if (clientDigest === undefined) {
    const message = `update the client: it gave no ${name} of the file`;
    return { problem: { code: "protocol_error", message }, final: true };
  }
  if (digest !== clientDigest) {
    const message = `the ${name} of what was stored is ${digest}, the client's is ${clientDigest}`;
    return { problem: { code: "checksum_mismatch", message }, final: false };
  }
  return null;
}
