import { release } from "../../util/release.ts";
import { readAt } from "../block-reader.ts";

/** Bytes read at a time. */
const BLOCK = 1024 * 1024;
/**
 * Bytes by which the last block of a file may exceed the other blocks, so that no short block is left to be
 * read.
 */
const SURPLUS = 256 * 1024;
/** Free bytes before each block in its buffer, where the frame's header and earlier records are written. */
const HEADROOM_BYTES = 64 * 1024;

/** A position in an open file. */
export interface FilePosition {
  fd: number;
  offset: number;
  /** Size of the file in bytes. */
  size: number;
}

/**
 * Reads the files of a set block by block, always one block ahead of the block in use. The block ahead may
 * belong to the next file. The two buffers alternate, so the second call of {@link ReadAhead.begin} after a
 * block was read overwrites this block.
 */
export class ReadAhead implements Disposable {
  readonly #buffers = [new Uint8Array(0), new Uint8Array(0)];
  #pendingRead: { fd: number; offset: number; block: Promise<Uint8Array<ArrayBuffer>> } | undefined;

  /**
   * Returns the block at a position, empty at the end of the file. The block's buffer has free space before
   * the block, for headers.
   * @throws an error of the system
   */
  async blockAt(position: FilePosition): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#pendingRead?.fd !== position.fd || this.#pendingRead.offset !== position.offset) {
      await this.#dropPendingRead();
      this.begin(position);
    }
    const block = await this.#pendingRead?.block;
    this.#pendingRead = undefined;
    return block ?? new Uint8Array(0);
  }

  /** Begins to read the block at a position, unless another block is already being read ahead. */
  begin({ fd, offset, size }: FilePosition): void {
    if (this.#pendingRead) return;
    const remaining = size - offset;
    const length = remaining <= BLOCK + SURPLUS ? remaining : BLOCK;
    const block = readAt({ fd }, offset, this.#buffer(length));
    // Prevents an unhandled rejection if the block is never awaited. Code that awaits the block still gets
    // the error.
    block.catch(() => undefined);
    this.#pendingRead = { fd, offset, block };
  }

  /** Waits until nothing is being read from a file any more. To be called before the file is closed. */
  async finishReading(fd: number): Promise<void> {
    if (this.#pendingRead?.fd === fd) await this.#dropPendingRead();
  }

  /** Frees the buffers. No read may be pending. */
  [Symbol.dispose](): void {
    for (const buffer of this.#buffers) release(buffer);
  }

  async #dropPendingRead(): Promise<void> {
    await this.#pendingRead?.block.catch(() => undefined);
    this.#pendingRead = undefined;
  }

  #buffer(length: number): Uint8Array<ArrayBuffer> {
    let buffer = this.#buffers.shift() ?? new Uint8Array(0);
    if (buffer.length < HEADROOM_BYTES + length) {
      release(buffer);
      buffer = Buffer.allocUnsafeSlow(HEADROOM_BYTES + length);
    }
    this.#buffers.push(buffer);
    return buffer.subarray(HEADROOM_BYTES, HEADROOM_BYTES + length);
  }
}
