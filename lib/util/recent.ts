/** Remembers the latest of many texts, in bounded memory. */
export class Recent {
  /** In the order in which they were added, the oldest first. */
  readonly #texts = new Set<string>();

  /** @param most how many are remembered */
  constructor(private readonly most: number) {}

  has(text: string): boolean {
    return this.#texts.has(text);
  }

  /** @returns false where it is remembered already */
  add(text: string): boolean {
    const isNew = !this.#texts.delete(text);
    this.#texts.add(text);
    const [oldest] = this.#texts;
    if (this.#texts.size > this.most && oldest !== undefined) this.#texts.delete(oldest);
    return isNew;
  }
}
