import type { Memory } from "./memory.ts";

/** First size of a tail's buffer, in bytes. */
const FIRST_BUFFER = 256 * 1024;
/** Factor by which a tail's buffer grows. */
const GROWTH = 8;

/** The tail of a part: its last bytes, at most one segment, which are not stored as an object yet. */
export class Tail {
  #length = 0;

  private constructor(
    private readonly memory: Memory,
    private readonly segment: number,
    private buffer: Uint8Array<ArrayBuffer>,
    /** Offset in the part at which the tail begins. */
    readonly offset: number,
    /** Time at which the tail began, in ms of a monotonic clock. */
    readonly beganAt: number,
  ) {}

  /**
   * Begins a tail with room for at least `room` bytes. Waits for memory.
   * @param isFast true: a full segment is expected soon, so memory for a whole segment is taken if it is free
   */
  static async begin(
    { memory, segment, now }: { memory: Memory; segment: number; now: () => number },
    offset: number,
    { room, isFast }: { room: number; isFast: boolean },
  ): Promise<Tail> {
    const whole = isFast ? memory.bufferIfFree(segment) : null;
    const firstSize = Math.min(segment, Math.max(room, FIRST_BUFFER));
    return new Tail(memory, segment, whole ?? (await memory.buffer(firstSize)), offset, now());
  }

  get length(): number {
    return this.#length;
  }

  /** Offset in the part at which the tail ends. */
  get end(): number {
    return this.offset + this.#length;
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    return this.buffer.subarray(0, this.#length);
  }

  /**
   * Enlarges the buffer for more bytes, if necessary.
   * @returns false if there is not enough free memory
   */
  makeRoomFor(bytes: number): boolean {
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

  /** Appends bytes. The caller must have checked {@link makeRoomFor}. */
  add(bytes: Uint8Array): void {
    this.buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Drops the tail's bytes at and after the offset `size` of the part. */
  cut(size: number): void {
    this.#length = Math.max(0, Math.min(this.#length, size - this.offset));
  }

  /** Returns the buffer to the memory budget. */
  free(): void {
    this.memory.giveBackBuffer(this.buffer);
  }
}
