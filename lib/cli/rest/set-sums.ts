import type { ChecksumAlgorithm } from "../../api/checksums.ts";
import type { SetFileRecord } from "../../api/sets.ts";

/**
 * Computes the digest of a set's checksum list, such as its `.md5`, from the records of the set's files. The
 * list has a line for each stored file. If the records are complete and right, the digest equals the one in
 * the set's record.
 */
export class SetSums {
  readonly #hasher: Bun.CryptoHasher;

  constructor(private readonly checksum: ChecksumAlgorithm) {
    this.#hasher = new Bun.CryptoHasher(checksum);
  }

  /** Adds the line of the next file to the checksum list. A file that is not stored gets no line. */
  add(file: SetFileRecord): void {
    const digest = file[this.checksum];
    if (digest === null || file.saved_path === null) return;
    // The path is relative to the folder of the client's downloads, in which `md5sum -c` is run.
    const name = file.saved_path.slice(file.saved_path.indexOf("/") + 1);
    this.#hasher.update(`${digest}  ${name}\n`);
  }

  /** Returns the digest of the checksum list in lower-case hex. To be called once all files were added. */
  digest(): string {
    return this.#hasher.digest("hex");
  }
}
