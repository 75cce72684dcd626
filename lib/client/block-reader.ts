import { read as readCallback } from "node:fs";
import { promisify } from "node:util";
import { HEADER_BYTES } from "../protocol/frame.ts";
import { release } from "../util/release.ts";
import type { SourceFile } from "./owner-rules/source-file.ts";

const pread = promisify(readCallback);

/**
 * Reads a file block by block, one block ahead of the one in use. Two buffers are used in turn: the system
 * hands out new memory page by page, which costs as much as the reading itself.
 */
export class BlockReader {
  readonly #buffers = [new Uint8Array(0), new Uint8Array(0)];
  #ahead: { offset: number; block: Promise<Uint8Array<ArrayBuffer>> } | undefined;

  /** @param lengthAt the length of the block at an offset; 0 where there is none */
  constructor(
    private readonly file: SourceFile,
    private readonly lengthAt: (offset: number) => number,
  ) {}

  /**
   * @returns the block at an offset, shorter than wanted where the file ends; valid until the next
   *   call. Before it there is room for a frame's header in its buffer.
   */
  async blockAt(offset: number): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#ahead?.offset !== offset) {
      // A block read in vain must not be written into a buffer that is in use again.
      await this.#ahead?.block.catch(() => undefined);
      this.#ahead = { offset, block: this.#read(offset) };
    }
    const block = await this.#ahead.block;
    const next = offset + block.length;
    this.#ahead = { offset: next, block: this.#read(next) };
    // The error is thrown where the block is awaited; if that never happens, it does not matter.
    this.#ahead.block.catch(() => undefined);
    return block;
  }

  /** Frees the buffers, once nothing is read into them any more. */
  async close(): Promise<void> {
    await this.#ahead?.block.catch(() => undefined);
    for (const buffer of this.#buffers) release(buffer);
  }

  #read(offset: number): Promise<Uint8Array<ArrayBuffer>> {
    const length = this.lengthAt(offset);
    let buffer = this.#buffers.shift() ?? new Uint8Array(0);
    if (buffer.length < HEADER_BYTES + length) {
      release(buffer);
      buffer = Buffer.allocUnsafeSlow(HEADER_BYTES + length);
    }
    this.#buffers.push(buffer);
    return readAt(this.file, offset, buffer.subarray(HEADER_BYTES, HEADER_BYTES + length));
  }
}

/**
 * Reads at a position of an open file, with pread(2). The descriptor stays the same file, whoever has its
 * name by now. A slice of `Bun.file(fd)` would move the position that all reads share, and one that begins
 * at 0 reads wherever that position is.
 * @returns the part of the buffer that was filled
 */
export async function readAt(
  file: Pick<SourceFile, "fd">,
  offset: number,
  buffer: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  if (buffer.length === 0) return buffer;
  const { bytesRead } = await pread(file.fd, buffer, 0, buffer.length, offset);
  return buffer.subarray(0, bytesRead);
}
