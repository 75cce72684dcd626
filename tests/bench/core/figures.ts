import { type Spread, spreadOf } from "./statistics.ts";

/**
 * Unit of a figure. `ratio`: two figures of the same round, divided. `share`: a part of the whole, which is
 * 1.
 */
export type Unit =
  "s" | "ms" | "MiB/s" | "MiB" | "KiB" | "CPU s/GiB" | "% of a core" | "per s" | "ratio" | "share";

/** A figure: a quantity that is measured once in each round. */
export interface Figure extends Spread {
  name: string;
  unit: Unit;
  /** The measured values, one for each round. */
  values: number[];
}

/** The figures that a scenario has measured so far. */
export class Figures {
  readonly #values = new Map<string, { unit: Unit; values: number[] }>();

  /** Adds a figure's value for one more round. */
  add(name: string, unit: Unit, value: number): void {
    const figure = this.#values.get(name) ?? { unit, values: [] };
    figure.values.push(value);
    this.#values.set(name, figure);
  }

  /**
   * Adds the ratio of two figures for each round. Both were measured at nearly the same time, so a slow
   * moment of the machine affects both. Adds nothing if one of the figures was not measured.
   */
  compare(name: string, dividend: string, divisor: string): void {
    const [above, below] = [this.#values.get(dividend), this.#values.get(divisor)];
    if (!above || !below) return;
    for (const [round, value] of above.values.entries()) {
      const by = below.values[round];
      if (by !== undefined) this.add(name, "ratio", value / by);
    }
  }

  /** Returns the figures in the order in which they were first added. */
  list(): Figure[] {
    return [...this.#values].map(([name, { unit, values }]) => ({
      name,
      unit,
      ...spreadOf(values),
      values,
    }));
  }
}
