/**
 * A server that is killed at one of its statements, before the statement or before the server gets the
 * result.
 */
export class Mortal {
  calls = 0;
  constructor(
    private readonly dies: number,
    private readonly isDone: boolean,
  ) {}

  of<T extends object>(target: T): T {
    return new Proxy(target, {
      get: (_, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member === "object" && member !== null) return this.of(member);
        if (typeof member !== "function") return member;
        return async (...args: unknown[]) => {
          const call = ++this.calls;
          if (call > this.dies || (call === this.dies && !this.isDone)) throw new Killed();
          const answer: unknown = await Reflect.apply(member, target, args);
          if (call === this.dies) throw new Killed();
          return answer;
        };
      },
    });
  }
}

/** The error that every call of a killed server throws. */
export class Killed extends Error {}
