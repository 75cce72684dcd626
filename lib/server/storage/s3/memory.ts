/** Bytes of memory that are shared: who wants more than there is waits in line. */
export class Memory {
  #held = 0;
  readonly #line: { bytes: number; go: () => void }[] = [];

  /** @param budget most bytes at once; one who wants more has it alone */
  constructor(readonly budget: number) {}

  /** Bytes that are held now. */
  get held(): number {
    return this.#held;
  }

  /** Resolves when so many bytes may be used. */
  take(bytes: number): Promise<void> {
    return new Promise((go) => {
      this.#line.push({ bytes, go });
      this.#serve();
    });
  }

  /** Takes them only where nobody has to wait for it. @returns whether they may be used */
  takeIfFree(bytes: number): boolean {
    if (this.#line.length > 0 || this.#held + bytes > this.budget) return false;
    this.#held += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#held -= bytes;
    this.#serve();
  }

  /** Does something that holds so many bytes meanwhile. */
  async with<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    await this.take(bytes);
    try {
      return await work();
    } finally {
      this.giveBack(bytes);
    }
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
