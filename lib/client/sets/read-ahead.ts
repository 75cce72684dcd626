import { release } from "../../util/release.ts";
import { readAt } from "../block-reader.ts";

/** Bytes that are read at a time. */
const BLOCK = 1024 * 1024;
/** Bytes by which the last block may be longer: nothing would be read meanwhile if it were a short one. */
const SURPLUS = 256 * 1024;
/** Bytes of room before a block in its buffer, for what comes before it in a frame. */
const ROOM = 64 * 1024;

/** A place in an open file. */
export interface FilePlace {
  fd: number;
  offset: number;
  /** Size of the file in bytes. */
  size: number;
}

/**
 * Reads the files of a set block by block, one block ahead of the one in use, which may be in the next file.
 * Two buffers are used in turn, so a block is valid until the second call of {@link ReadAhead.begin} after it.
 */
export class ReadAhead implements Disposable {
  readonly #buffers = [new Uint8Array(0), new Uint8Array(0)];
  #ahead: { fd: number; offset: number; block: Promise<Uint8Array<ArrayBuffer>> } | undefined;

  /**
   * The block at a place; empty at the end of the file. Before it there is room in its buffer.
   * @throws an error of the system
   */
  async blockAt(place: FilePlace): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#ahead?.fd !== place.fd || this.#ahead.offset !== place.offset) {
      await this.#dropAhead();
      this.begin(place);
    }
    const block = await this.#ahead?.block;
    this.#ahead = undefined;
    return block ?? new Uint8Array(0);
  }

  /** Begins to read the block that is wanted next. */
  begin({ fd, offset, size }: FilePlace): void {
    if (this.#ahead) return;
    const left = size - offset;
    const length = left <= BLOCK + SURPLUS ? left : BLOCK;
    const block = readAt({ fd }, offset, this.#buffer(length));
    // The error is thrown where the block is awaited; if that never happens, it does not matter.
    block.catch(() => undefined);
    this.#ahead = { fd, offset, block };
  }

  /** Call it before a file is closed: resolves when nothing is read from it any more. */
  async leave(fd: number): Promise<void> {
    if (this.#ahead?.fd === fd) await this.#dropAhead();
  }

  /** Frees the buffers; every file must have been left. */
  [Symbol.dispose](): void {
    for (const buffer of this.#buffers) release(buffer);
  }

  async #dropAhead(): Promise<void> {
    await this.#ahead?.block.catch(() => undefined);
    this.#ahead = undefined;
  }

  #buffer(length: number): Uint8Array<ArrayBuffer> {
    let buffer = this.#buffers.shift() ?? new Uint8Array(0);
    if (buffer.length < ROOM + length) {
      release(buffer);
      buffer = Buffer.allocUnsafeSlow(ROOM + length);
    }
    this.#buffers.push(buffer);
    return buffer.subarray(ROOM, ROOM + length);
  }
}
