import type { Memory } from "./memory.ts";

/** First size of a tail's buffer, in bytes. */
const FIRST_BUFFER = 256 * 1024;
/** Factor by which the buffer grows. */
const GROWTH = 8;

/** Bytes that are in no object yet, at most a segment. */
export class Tail {
  #length = 0;

  private constructor(
    private readonly memory: Memory,
    private readonly segment: number,
    private buffer: Uint8Array<ArrayBuffer>,
    /** Offset in the part. */
    readonly offset: number,
    /** When its first byte came, in ms. */
    readonly since: number,
  ) {}

  /**
   * Begins a tail with room for some bytes. Waits for memory.
   * @param isFast whether a full segment is expected soon: then its memory is taken at once, if it is free
   */
  static async begin(
    { memory, segment, now }: { memory: Memory; segment: number; now: () => number },
    offset: number,
    { room, isFast }: { room: number; isFast: boolean },
  ): Promise<Tail> {
    const whole = isFast ? memory.bufferIfFree(segment) : null;
    const few = Math.min(segment, Math.max(room, FIRST_BUFFER));
    return new Tail(memory, segment, whole ?? (await memory.buffer(few)), offset, now());
  }

  get length(): number {
    return this.#length;
  }

  /** End in the part. */
  get end(): number {
    return this.offset + this.#length;
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    return this.buffer.subarray(0, this.#length);
  }

  /** Makes room for more bytes. @returns false if there is no memory for them now */
  hasRoomFor(bytes: number): boolean {
    const needed = this.#length + bytes;
    if (needed <= this.buffer.length) return true;
    const capacity = Math.min(this.segment, Math.max(needed, GROWTH * this.buffer.length));
    const larger = this.memory.bufferIfFree(capacity);
    if (!larger) return false;
    larger.set(this.bytes);
    this.free();
    this.buffer = larger;
    return true;
  }

  /** Appends bytes; there must be room for them. */
  add(bytes: Uint8Array): void {
    this.buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Drops everything from an offset in the part on. */
  cut(size: number): void {
    this.#length = Math.max(0, Math.min(this.#length, size - this.offset));
  }

  /** Frees its memory. */
  free(): void {
    this.memory.giveBackBuffer(this.buffer);
  }
}
