import { processorTime } from "./processor-time.ts";
import type { World } from "./world.ts";

/** Time between two measurements of the processor time, in ms. */
const LOOK_EVERY = 500;
/** Time between two checks whether delayed work may go on, in ms. */
const WAIT = 100;

/** Limits the average processor time of all programs, by delaying work. */
export class Pace {
  #isAhead = false;
  #begun: { at: number; used: number } | undefined;

  /**
   * @param world the programs to measure
   * @param intensity maximum average processor time, in cores
   */
  constructor(
    private readonly world: World,
    private readonly intensity: number,
  ) {}

  /** Compares the processor time used so far with the limit, then waits a moment. */
  async look(): Promise<void> {
    const used = await processorTime(this.world.system.programs.map(({ pid }) => pid));
    const at = performance.now();
    this.#begun ??= { at, used };
    const seconds = (at - this.#begun.at) / 1000;
    this.#isAhead = used - this.#begun.used > this.intensity * seconds;
    await this.world.rest(LOOK_EVERY);
  }

  /**
   * Waits while the used processor time is over the limit. Also resolves when the storm of faults is over.
   */
  async turn(): Promise<void> {
    while (this.#isAhead && !this.world.isCalm) await this.world.rest(WAIT);
  }
}
