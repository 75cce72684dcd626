/**
 * The life of a process that is only played: when it is over, whatever it still calls is never
 * done and never answered, as after `kill -9`.
 */
export class Life {
  #over = false;

  end(): void {
    this.#over = true;
  }

  /** An object that does what it does as long as this lasts; what its methods give, too. */
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
