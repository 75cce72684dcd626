/** Remembers a limited number of texts: those that were added last. */
export class Recent {
  /** The remembered texts in the order of adding, the oldest first. */
  readonly #texts = new Set<string>();

  /** @param maxTexts highest number of remembered texts */
  constructor(private readonly maxTexts: number) {}

  has(text: string): boolean {
    return this.#texts.has(text);
  }

  /** Adds a text as the newest. @returns false if the text was remembered already */
  add(text: string): boolean {
    const isNew = !this.#texts.delete(text);
    this.#texts.add(text);
    const [oldest] = this.#texts;
    if (this.#texts.size > this.maxTexts && oldest !== undefined) this.#texts.delete(oldest);
    return isNew;
  }
}
