/** Remembers a limited number of texts: those that were added last. */
export class Recent {
  /** The remembered texts in the order of adding, the oldest first. */
  readonly #texts = new Set<string>();

  /** @param most highest number of remembered texts */
  constructor(private readonly most: number) {}

  has(text: string): boolean {
    return this.#texts.has(text);
  }

  /** Adds a text as the newest. @returns false if the text was remembered already */
  add(text: string): boolean {
    const isNew = !this.#texts.delete(text);
    this.#texts.add(text);
    const [oldest] = this.#texts;
    if (this.#texts.size > this.most && oldest !== undefined) this.#texts.delete(oldest);
    return isNew;
  }
}
