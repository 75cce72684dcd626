import { type Spread, spreadOf } from "./statistics.ts";

/** `ratio`: of two figures of the same round; `share`: of what there was, 1 is all of it. */
export type Unit =
  "s" | "ms" | "MiB/s" | "MiB" | "KiB" | "CPU s/GiB" | "% of a core" | "per s" | "ratio" | "share";

/** Something that was measured once a round. */
export interface Figure extends Spread {
  name: string;
  unit: Unit;
  /** By round. */
  values: number[];
}

/** What a scenario measures. */
export class Figures {
  readonly #values = new Map<string, { unit: Unit; values: number[] }>();

  /** Adds the value of one more round. */
  add(name: string, unit: Unit, value: number): void {
    const figure = this.#values.get(name) ?? { unit, values: [] };
    figure.values.push(value);
    this.#values.set(name, figure);
  }

  /**
   * Adds how two figures compare in each round: what slows one down in a round, slows down both.
   * Where one of them was not measured, there is nothing to compare.
   */
  compare(name: string, dividend: string, divisor: string): void {
    const [above, below] = [this.#values.get(dividend), this.#values.get(divisor)];
    if (!above || !below) return;
    for (const [round, value] of above.values.entries()) {
      const by = below.values[round];
      if (by !== undefined) this.add(name, "ratio", value / by);
    }
  }

  /** In the order in which they were first added. */
  list(): Figure[] {
    return [...this.#values].map(([name, { unit, values }]) => ({
      name,
      unit,
      ...spreadOf(values),
      values,
    }));
  }
}
