import { FdsError } from "../../../protocol/errors.ts";
import { inS3 } from "./error.ts";
import type { Piece } from "./pieces.ts";
import type { S3Context } from "./place.ts";

/** Consecutive bytes read from a piece. */
interface Stretch {
  key: string;
  /** Offset of the bytes in the part. */
  offset: number;
  bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Reads pieces of a part, at most one segment at a time. The last bytes read are kept, because the next read
 * usually continues in them.
 */
export class PieceReader {
  #last: Stretch | undefined;

  constructor(private readonly context: Pick<S3Context, "memory" | "objects" | "segment">) {}

  /**
   * Returns bytes of the part from the offset `at` on, but none beyond the end of the piece that contains
   * this offset.
   */
  async read(pieces: readonly Piece[], at: number): Promise<Uint8Array> {
    const piece = pieces[indexOf(pieces, at)];
    if (!piece || at >= piece.offset + piece.length) {
      throw new FdsError("storage_error", "a piece is missing");
    }
    const last = this.#last;
    const isIn = last?.key === piece.key && at >= last.offset;
    const found = isIn ? last.bytes.subarray(at - last.offset) : undefined;
    if (found && found.length > 0) return found;
    this.drop();
    this.#last = await this.#fetch(piece, at);
    return this.#last.bytes;
  }

  /** Frees the memory of the last read. */
  drop(): void {
    if (this.#last) this.context.memory.giveBack(this.#last.bytes.length);
    this.#last = undefined;
  }

  async #fetch({ key, etag, start, offset, length }: Piece, at: number): Promise<Stretch> {
    const { memory, objects, segment } = this.context;
    const size = Math.min(segment, offset + length - at);
    const from = start + at - offset;
    await memory.take(size);
    try {
      const range = { start: from, end: from + size };
      const bytes = await inS3("read the part", () => objects.get(key, range, etag));
      return { key, offset: at, bytes };
    } catch (error) {
      memory.giveBack(size);
      throw error;
    }
  }
}

/** Returns the index of the piece that contains an offset, or of the last piece before it. */
function indexOf(pieces: readonly Piece[], at: number): number {
  let [low, high] = [0, pieces.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((pieces[middle]?.offset ?? 0) <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}
