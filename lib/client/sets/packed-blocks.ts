/**
 * Bytes that are sent and then kept, as a part may be wanted again. All blocks but the last one are kept
 * compressed: the paths of a manifest are alike, and few of them are ever read again.
 */
export class PackedBlocks {
  /** Where each block begins, in their order. */
  readonly #packed: { start: number; bytes: Uint8Array }[] = [];
  /** The block that was added or read last. */
  #open: { start: number; bytes: Uint8Array } = { start: 0, bytes: new Uint8Array(0) };
  #length = 0;

  /** Bytes of all blocks. */
  get length(): number {
    return this.#length;
  }

  /** @param block is kept, so the caller must not change it */
  add(block: Uint8Array<ArrayBuffer>): void {
    if (block.length === 0) return;
    const start = this.#length;
    this.#packed.push({ start, bytes: Bun.zstdCompressSync(block, { level: 1 }) });
    this.#open = { start, bytes: block };
    this.#length += block.length;
  }

  /**
   * Copies the bytes from an offset on.
   * @returns how many were copied: as many as fit, or as there are
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
    const { start, bytes } = this.#open;
    if (offset >= start && offset < start + bytes.length) return this.#open;
    const block = this.#packed.findLast((each) => each.start <= offset);
    if (block) this.#open = { start: block.start, bytes: Bun.zstdDecompressSync(block.bytes) };
    return this.#open;
  }
}
