import { processorTime } from "./processor-time.ts";
import type { World } from "./world.ts";

/** Between two looks, in ms. */
const LOOK_EVERY = 500;
const WAIT = 100;

/** Holds work back where it would take more of the machine than it may, on average. */
export class Pace {
  #isAhead = false;
  #begun: { at: number; used: number } | undefined;

  /** @param intensity cores that may be busy */
  constructor(
    private readonly world: World,
    private readonly intensity: number,
  ) {}

  /** Compares what was used with what may be, then waits a moment. */
  async look(): Promise<void> {
    const used = await processorTime(this.world.system.programs.map(({ pid }) => pid));
    const at = performance.now();
    this.#begun ??= { at, used };
    const seconds = (at - this.#begun.at) / 1000;
    this.#isAhead = used - this.#begun.used > this.intensity * seconds;
    await this.world.rest(LOOK_EVERY);
  }

  /** Resolves when more may be done, or nothing more is to be. */
  async turn(): Promise<void> {
    while (this.#isAhead && !this.world.isCalm) await this.world.rest(WAIT);
  }
}
