import { promisify } from "node:util";
import { constants, zstdDecompress } from "node:zlib";
import type { CompressedFrame, Frame } from "../../protocol/frame.ts";
import { MAX_CHUNK_SIZE } from "../../protocol/messages.ts";
import { release } from "../../util/release.ts";

const decompress = promisify(zstdDecompress);

export interface DecompressorOptions {
  /** Called with the file's bytes, in the order of the frames. The receiver owns them from then on. */
  onBytes: (bytes: Uint8Array) => void;
  /** Called where a payload does not decompress to what its header states. Frames after it are dropped. */
  onDamaged: (frame: CompressedFrame) => void;
}

/**
 * Turns frames into the file's bytes: in order, off the event loop, one at a time, so that it holds no more
 * than one frame beyond what was granted.
 */
export class Decompressor {
  readonly #queue: Frame[] = [];
  #working: Promise<void> | undefined;
  #stopped = false;

  constructor(private readonly options: DecompressorOptions) {}

  /** Whether all frames so far have been handled. */
  get idle(): boolean {
    return this.#working === undefined;
  }

  /** Takes the next frame of the file. A raw one is passed on at once if none waits before it. */
  take(frame: Frame): void {
    if (this.idle && !frame.compressed) return this.options.onBytes(frame.payload);
    this.#queue.push(frame);
    this.#working ??= this.#work();
  }

  /** Resolves when all frames so far have been handled; never rejects. */
  async settled(): Promise<void> {
    await this.#working;
  }

  /** Stops: no more bytes are passed on. */
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
 * Decompresses a frame. Whatever its payload claims, it uses no more memory than its header allows.
 * @returns null when the payload is damaged, or has another length than stated
 */
export async function unpack(frame: CompressedFrame): Promise<Uint8Array | null> {
  const { payload, rawLength, crc } = frame;
  try {
    const bytes = await decompress(payload, {
      maxOutputLength: rawLength,
      // A single piece: by default, zlib makes one call to its thread for each 16 KiB.
      chunkSize: rawLength,
      params: { [constants.ZSTD_d_windowLogMax]: Math.log2(MAX_CHUNK_SIZE) },
    });
    // zlib reports no error for a truncated payload.
    return bytes.length === rawLength && Bun.hash.crc32(bytes) === crc ? bytes : null;
  } catch {
    return null;
  } finally {
    release(payload);
  }
}
