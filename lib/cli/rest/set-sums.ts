import type { ChecksumAlgorithm } from "../../api/checksums.ts";
import type { SetFileRecord } from "../../api/sets.ts";

/**
 * Computes the digest of a set's checksum list, such as its `.md5`, from the records of its files. The list
 * has a line for each stored file. If the records are complete and right, the digest equals the one in the
 * set's record.
 */
export class SetSums {
  readonly #hasher: Bun.CryptoHasher;

  constructor(private readonly checksum: ChecksumAlgorithm) {
    this.#hasher = new Bun.CryptoHasher(checksum);
  }

  /** Adds the next file of the set. A file that is not stored has no line. */
  add(file: SetFileRecord): void {
    const digest = file[this.checksum];
    if (digest === null || file.saved_path === null) return;
    // The path relative to the client's folder, where `md5sum -c` is run.
    const name = file.saved_path.slice(file.saved_path.indexOf("/") + 1);
    this.#hasher.update(`${digest}  ${name}\n`);
  }

  /** Returns the digest in lower-case hex, after all files were added. */
  digest(): string {
    return this.#hasher.digest("hex");
  }
}
