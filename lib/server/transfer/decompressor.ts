import { promisify } from "node:util";
import { constants, zstdDecompress } from "node:zlib";
import type { CompressedFrame, Frame } from "../../protocol/frame.ts";
import { MAX_CHUNK_SIZE } from "../../protocol/messages.ts";
import { release } from "../../util/release.ts";

const decompress = promisify(zstdDecompress);

export interface DecompressorOptions {
  /** Gets the file's bytes, in the order of the frames; they are the receiver's from now on. */
  onBytes: (bytes: Uint8Array) => void;
  /** A payload does not give the bytes that its header tells of; frames behind it are forgotten. */
  onDamaged: (frame: CompressedFrame) => void;
}

/**
 * Turns frames into the file's bytes: in order, off the event loop, one at a time, so that it
 * holds no more than one frame beyond what was granted.
 */
export class Decompressor {
  readonly #queue: Frame[] = [];
  #working: Promise<void> | undefined;
  #stopped = false;

  constructor(private readonly options: DecompressorOptions) {}

  /** True when every frame that was given has been dealt with. */
  get idle(): boolean {
    return this.#working === undefined;
  }

  /** Takes the next frame of the file. A raw one is handed on at once where none waits before it. */
  take(frame: Frame): void {
    if (this.idle && !frame.compressed) return this.options.onBytes(frame.payload);
    this.#queue.push(frame);
    this.#working ??= this.#work();
  }

  /** Resolves when every frame that was given has been dealt with; never rejects. */
  async settled(): Promise<void> {
    await this.#working;
  }

  /** Hands no bytes on from now on. */
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
 * The bytes that a frame stands for. Whatever its payload says of itself, no more memory is used
 * than its header may ask for.
 * @returns null when the payload is damaged, or lies about its length
 */
export async function unpack(frame: CompressedFrame): Promise<Uint8Array | null> {
  const { payload, rawLength, crc } = frame;
  try {
    const bytes = await decompress(payload, {
      maxOutputLength: rawLength,
      // In one piece: the default is a thread's turn for each 16 KiB.
      chunkSize: rawLength,
      params: { [constants.ZSTD_d_windowLogMax]: Math.log2(MAX_CHUNK_SIZE) },
    });
    // A payload that was cut short is no error to zlib.
    return bytes.length === rawLength && Bun.hash.crc32(bytes) === crc ? bytes : null;
  } catch {
    return null;
  } finally {
    release(payload);
  }
}
