import { promisify } from "node:util";
import { constants, zstdDecompress } from "node:zlib";
import type { CompressedFrame, Frame } from "../../protocol/frame.ts";
import { MAX_CHUNK_SIZE } from "../../protocol/messages.ts";
import { release } from "../../util/release.ts";

const decompress = promisify(zstdDecompress);

export interface DecompressorOptions {
  /**
   * Called with the decompressed bytes of the file, in the order of the frames. The callee then owns the
   * bytes.
   */
  onBytes: (bytes: Uint8Array) => void;
  /**
   * Called when a payload does not decompress to the length and CRC in its frame header. All queued frames
   * are dropped.
   */
  onDamaged: (frame: CompressedFrame) => void;
}

/**
 * Decompresses a stream of frames into the file's bytes, in order. One frame is decompressed at a time, off
 * the event loop.
 */
export class Decompressor {
  readonly #queue: Frame[] = [];
  #working: Promise<void> | undefined;
  #stopped = false;

  constructor(private readonly options: DecompressorOptions) {}

  /** Whether all frames taken so far are done: their bytes were given to `onBytes`, or they were dropped. */
  get isIdle(): boolean {
    return this.#working === undefined;
  }

  /**
   * Takes the next frame of the file. An uncompressed frame is given to `onBytes` at once if no earlier frame
   * is waiting.
   */
  take(frame: Frame): void {
    if (this.isIdle && !frame.compressed) return this.options.onBytes(frame.payload);
    this.#queue.push(frame);
    this.#working ??= this.#work();
  }

  /** Resolves when every frame taken so far has been given to `onBytes` or dropped. Never rejects. */
  async settled(): Promise<void> {
    await this.#working;
  }

  /**
   * Drops the frames that still wait. Called at the end of an attempt, after which no frame is taken any
   * more.
   */
  stop(): void {
    this.#stopped = true;
  }

  async #work(): Promise<void> {
    for (let frame = this.#queue.shift(); frame; frame = this.#queue.shift()) {
      const bytes = frame.compressed ? await unpack(frame) : frame.payload;
      if (this.#stopped) break;
      if (bytes) {
        this.options.onBytes(bytes);
      } else if (frame.compressed) {
        this.#queue.length = 0;
        this.options.onDamaged(frame);
      }
    }
    this.#working = undefined;
  }
}

/**
 * Decompresses a frame. The length in the frame header limits the memory used, whatever the payload contains.
 * @returns null if the payload is damaged or does not have the length stated in the header
 */
export async function unpack(frame: CompressedFrame): Promise<Uint8Array | null> {
  const { payload, rawLength, crc } = frame;
  try {
    const bytes = await decompress(payload, {
      maxOutputLength: rawLength,
      // One output buffer for the whole frame. By default, zlib makes a thread-pool call for every 16 KiB.
      chunkSize: rawLength,
      params: { [constants.ZSTD_d_windowLogMax]: Math.log2(MAX_CHUNK_SIZE) },
    });
    // zlib reports no error for a truncated payload, so length and CRC are checked here.
    return bytes.length === rawLength && Bun.hash.crc32(bytes) === crc ? bytes : null;
  } catch {
    return null;
  } finally {
    release(payload);
  }
}
