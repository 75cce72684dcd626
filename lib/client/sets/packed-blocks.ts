/**
 * Keeps the sent bytes of a manifest or a listing, because the server may ask for some of them again. Blocks
 * are kept compressed, because the paths in a manifest resemble each other and are rarely read again. Only
 * the block used last is also kept uncompressed.
 */
export class PackedBlocks {
  /** The compressed blocks, in order, each with the offset of its first byte. */
  readonly #packed: { start: number; bytes: Uint8Array }[] = [];
  /** The block that was added or read last, uncompressed. */
  #unpacked: { start: number; bytes: Uint8Array } = { start: 0, bytes: new Uint8Array(0) };
  #length = 0;

  /** The number of bytes in all blocks, uncompressed. */
  get length(): number {
    return this.#length;
  }

  /** Adds a block. @param block kept without a copy, so the caller must not change it */
  add(block: Uint8Array<ArrayBuffer>): void {
    if (block.length === 0) return;
    const start = this.#length;
    this.#packed.push({ start, bytes: Bun.zstdCompressSync(block, { level: 1 }) });
    this.#unpacked = { start, bytes: block };
    this.#length += block.length;
  }

  /**
   * Copies bytes into `target`, from an offset on.
   * @returns the number of bytes copied, less than `target` holds only at the end of the data
   */
  copy(offset: number, target: Uint8Array): number {
    let copied = 0;
    while (copied < target.length && offset + copied < this.#length) {
      const { start, bytes } = this.#blockAt(offset + copied);
      const from = offset + copied - start;
      const part = bytes.subarray(from, from + target.length - copied);
      target.set(part, copied);
      copied += part.length;
    }
    return copied;
  }

  #blockAt(offset: number) {
    const { start, bytes } = this.#unpacked;
    if (offset >= start && offset < start + bytes.length) return this.#unpacked;
    const block = this.#packed.findLast((each) => each.start <= offset);
    if (block) this.#unpacked = { start: block.start, bytes: Bun.zstdDecompressSync(block.bytes) };
    return this.#unpacked;
  }
}
