/** Maximum number of unused buffers kept for reuse. Allocating a buffer takes as long as filling it. */
const MAX_SPARE_BUFFERS = 4;
/** How long an unused buffer is kept, in ms. */
const SPARE_MS = 5_000;

/** A budget of memory. Requests are served in order, and each waits until enough bytes are free. */
export class Memory {
  #held = 0;
  #spare: Uint8Array<ArrayBuffer>[] = [];
  #spareTimer: Timer | undefined;
  readonly #waiting: { bytes: number; grant: () => void }[] = [];

  /**
   * @param budget maximum number of bytes in use. A single request for more is granted when nothing else is
   *   in use
   */
  constructor(readonly budget: number) {}

  /** Number of bytes in use. */
  get held(): number {
    return this.#held;
  }

  /** Waits until this many bytes are free, and takes them from the budget. */
  take(bytes: number): Promise<void> {
    return new Promise((grant) => {
      this.#waiting.push({ bytes, grant });
      this.#serve();
    });
  }

  /** Waits until this many bytes are free, and returns a buffer with arbitrary contents. */
  async buffer(bytes: number): Promise<Uint8Array<ArrayBuffer>> {
    await this.take(bytes);
    return this.#buffer(bytes);
  }

  /** Returns a buffer if this many bytes are free and no request waits, else null. */
  bufferIfFree(bytes: number): Uint8Array<ArrayBuffer> | null {
    if (this.#waiting.length > 0 || this.#held + bytes > this.budget) return null;
    this.#held += bytes;
    return this.#buffer(bytes);
  }

  giveBackBuffer(buffer: Uint8Array<ArrayBuffer>): void {
    this.giveBack(buffer.length);
    if (this.#spare.length === MAX_SPARE_BUFFERS) this.#spare.shift();
    this.#spare.push(buffer);
    clearTimeout(this.#spareTimer);
    this.#spareTimer = setTimeout(() => (this.#spare = []), SPARE_MS);
    this.#spareTimer.unref();
  }

  giveBack(bytes: number): void {
    this.#held -= bytes;
    this.#serve();
  }

  /** Takes this many bytes from the budget while work runs. Waits until they are free. */
  async with<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    await this.take(bytes);
    try {
      return await work();
    } finally {
      this.giveBack(bytes);
    }
  }

  #buffer(bytes: number): Uint8Array<ArrayBuffer> {
    const at = this.#spare.findIndex(({ length }) => length === bytes);
    const [spare] = at < 0 ? [] : this.#spare.splice(at, 1);
    return spare ?? new Uint8Array(bytes);
  }

  #serve(): void {
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      if (this.#held > 0 && this.#held + next.bytes > this.budget) return;
      this.#waiting.shift();
      this.#held += next.bytes;
      next.grant();
    }
  }
}
