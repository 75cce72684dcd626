/**
 * The lifetime of a simulated process. After its end, calls have no effect and never return, as after `kill
 * -9`.
 */
export class Life {
  #over = false;

  end(): void {
    this.#over = true;
  }

  /**
   * Wraps an object so that its methods work only until {@link end}. Closable results of the methods are
   * wrapped too.
   */
  of<T extends object>(target: T): T {
    return new Proxy(target, {
      get: (_, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== "function") return member;
        return (...args: unknown[]) => this.#call(() => Reflect.apply(member, target, args));
      },
    });
  }

  async #call(act: () => unknown): Promise<unknown> {
    const never = new Promise(() => undefined);
    if (this.#over) return never;
    const result = await act();
    if (this.#over) return never;
    const hasMethods = typeof result === "object" && result !== null && "close" in result;
    return hasMethods ? this.of(result) : result;
  }
}
