/** Buffers that are kept for reuse, as allocating one costs as much as filling it. */
const MOST_SPARE = 4;
/** How long an unused buffer is kept, in ms. */
const SPARE_MS = 5_000;

/** A budget of memory. Whoever asks for more than is free waits in line. */
export class Memory {
  #held = 0;
  #spare: Uint8Array<ArrayBuffer>[] = [];
  #forgetting: Timer | undefined;
  readonly #line: { bytes: number; go: () => void }[] = [];

  /** @param budget most bytes at the same time; a larger request is served alone */
  constructor(readonly budget: number) {}

  /** Bytes in use. */
  get held(): number {
    return this.#held;
  }

  /** Resolves when this many bytes may be used. */
  take(bytes: number): Promise<void> {
    return new Promise((go) => {
      this.#line.push({ bytes, go });
      this.#serve();
    });
  }

  /** A buffer with arbitrary contents. */
  async buffer(bytes: number): Promise<Uint8Array<ArrayBuffer>> {
    await this.take(bytes);
    return this.#buffer(bytes);
  }

  /** A buffer, if nobody has to wait for it; else null. */
  bufferIfFree(bytes: number): Uint8Array<ArrayBuffer> | null {
    if (this.#line.length > 0 || this.#held + bytes > this.budget) return null;
    this.#held += bytes;
    return this.#buffer(bytes);
  }

  giveBackBuffer(buffer: Uint8Array<ArrayBuffer>): void {
    this.giveBack(buffer.length);
    if (this.#spare.length === MOST_SPARE) this.#spare.shift();
    this.#spare.push(buffer);
    clearTimeout(this.#forgetting);
    this.#forgetting = setTimeout(() => (this.#spare = []), SPARE_MS);
    this.#forgetting.unref();
  }

  giveBack(bytes: number): void {
    this.#held -= bytes;
    this.#serve();
  }

  /** Runs work that uses this many bytes. */
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
    for (let next = this.#line[0]; next; next = this.#line[0]) {
      if (this.#held > 0 && this.#held + next.bytes > this.budget) return;
      this.#line.shift();
      this.#held += next.bytes;
      next.go();
    }
  }
}
