import type { ChecksumAlgorithm } from "../../api/checksums.ts";
import type { SetFileRecord } from "../../api/sets.ts";

/**
 * The digest of a set's checksums, counted from the list of its files: the text of its `.md5` has a
 * line for each file that is stored, in the order of the list. It is that of the set's record where
 * the list is whole and right.
 */
export class SetSums {
  readonly #hasher: Bun.CryptoHasher;

  constructor(private readonly checksum: ChecksumAlgorithm) {
    this.#hasher = new Bun.CryptoHasher(checksum);
  }

  /** Takes the next file of the list. */
  add(file: SetFileRecord): void {
    const digest = file[this.checksum];
    if (digest === null || file.saved_path === null) return;
    // As `md5sum -c` reads it in the client's folder.
    const name = file.saved_path.slice(file.saved_path.indexOf("/") + 1);
    this.#hasher.update(`${digest}  ${name}\n`);
  }

  /** Lower-case hex, once all files were added. */
  digest(): string {
    return this.#hasher.digest("hex");
  }
}
