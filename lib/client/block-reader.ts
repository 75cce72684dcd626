import { read as readCallback } from "node:fs";
import { promisify } from "node:util";
import { HEADER_BYTES } from "../protocol/frame.ts";
import { release } from "../util/release.ts";
import type { SourceFile } from "./owner-rules/source-file.ts";

const pread = promisify(readCallback);

/**
 * Reads a file block by block, always one block ahead of the block in use. Two buffers are reused
 * alternately, because a new buffer costs page faults that take as long as the reading itself.
 */
export class BlockReader {
  readonly #buffers = [new Uint8Array(0), new Uint8Array(0)];
  #pendingRead: { offset: number; block: Promise<Uint8Array<ArrayBuffer>> } | undefined;

  /** @param lengthAt returns the length in bytes of the block at an offset; 0 beyond the last block */
  constructor(
    private readonly file: SourceFile,
    private readonly lengthAt: (offset: number) => number,
  ) {}

  /**
   * Returns the block at an offset. At the end of the file the block is shorter. The block is valid until the
   * next call, and its buffer has room for a frame's header before the block.
   */
  async blockAt(offset: number): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#pendingRead?.offset !== offset) {
      // A read-ahead of another block may still be under way. It has to end first, because its buffer is used
      // again for the block after the requested one.
      await this.#pendingRead?.block.catch(() => undefined);
      this.#pendingRead = { offset, block: this.#read(offset) };
    }
    const block = await this.#pendingRead.block;
    const next = offset + block.length;
    this.#pendingRead = { offset: next, block: this.#read(next) };
    // Prevents an unhandled rejection if the block is never awaited. Code that awaits the block still gets
    // the error.
    this.#pendingRead.block.catch(() => undefined);
    return block;
  }

  /** Waits for a pending read, then frees the buffers. */
  async close(): Promise<void> {
    await this.#pendingRead?.block.catch(() => undefined);
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
 * Reads at a position of an open file with pread(2). A slice of `Bun.file(fd)` is not used, because it moves
 * the descriptor's shared position, and a slice from 0 starts at this position instead of at 0.
 * @returns the part of the buffer that was filled, shorter than the buffer at the end of the file
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
