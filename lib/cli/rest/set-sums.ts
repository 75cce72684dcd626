import type { ChecksumAlgorithm } from "../../api/checksums.ts";
import type { SetFileRecord } from "../../api/sets.ts";

/**
 * Computes the digest of a set's checksums from the list of its files: the text of its `.md5` has a line
 * for each stored file, in the order of the list. If the list is complete and right, it equals the digest
 * in the set's record.
 */
export class SetSums {
  readonly #hasher: Bun.CryptoHasher;

  constructor(private readonly checksum: ChecksumAlgorithm) {
    this.#hasher = new Bun.CryptoHasher(checksum);
  }

  /** Adds the next file of the list. */
  add(file: SetFileRecord): void {
    const digest = file[this.checksum];
    if (digest === null || file.saved_path === null) return;
    // As `md5sum -c` reads it in the client's folder.
    const name = file.saved_path.slice(file.saved_path.indexOf("/") + 1);
    this.#hasher.update(`${digest}  ${name}\n`);
  }

  /** Lower-case hex, after all files were added. */
  digest(): string {
    return this.#hasher.digest("hex");
  }
}
