import { CHECKSUM_NAMES, type ChecksumAlgorithm } from "../../protocol/checksum.ts";
import type { Problem } from "../../protocol/errors.ts";
import { stillTheSame } from "../../protocol/identity.ts";
import type { FileComplete } from "../../protocol/messages.ts";
import type { Source } from "../download.ts";

/** Why a file that came whole is not taken. */
export interface Flaw {
  problem: Problem;
  /** Another try would meet the same. */
  final: boolean;
}

/**
 * Compares what was stored with what the client says of its file.
 * @param source the file as it was when it was first opened
 * @param complete the client's last message
 * @param digest of the stored bytes
 * @returns null if the file is right
 */
export function findFlaw(
  source: Source,
  complete: FileComplete,
  checksum: ChecksumAlgorithm,
  digest: string,
): Flaw | null {
  if (!source.identity || !stillTheSame(source.identity, complete.identity)) {
    const message = "the file changed while it was read";
    return { problem: { code: "source_changed", message }, final: false };
  }
  const name = CHECKSUM_NAMES[checksum];
  const theirs = complete[checksum];
  if (theirs === undefined) {
    const message = `update the client: it gave no ${name} of the file`;
    return { problem: { code: "protocol_error", message }, final: true };
  }
  if (digest !== theirs) {
    const message = `the ${name} of what was stored is ${digest}, the client's is ${theirs}`;
    return { problem: { code: "checksum_mismatch", message }, final: false };
  }
  return null;
}
