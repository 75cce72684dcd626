import type { Figures } from "./figures.ts";
import type { Place, PlaceName } from "./workspace.ts";

/**
 * Size of a run. `tiny` only tests the bench, `quick` gives a first impression, `full` gives the figures to
 * publish.
 */
export type Effort = "tiny" | "quick" | "full";

/** The inputs of a scenario, and the figures that it adds to. */
export interface Run {
  effort: Effort;
  /** Number of times that everything is measured. */
  rounds: number;
  places: Record<PlaceName, Place>;
  /** Receives the measured figures. */
  figures: Figures;
  /**
   * Records that a measurement, or a tool to compare with, cannot run on this machine, and what to do about
   * it.
   */
  notRun: (what: string, why: string) => void;
  /** Aborted when the user ends the bench. */
  signal: AbortSignal;
}

/**
 * Returns the place on the disk. A tiny run uses memory instead, so that it does not wait for other programs'
 * writes.
 */
export function diskOf({ effort, places }: Pick<Run, "effort" | "places">): Place {
  return effort === "tiny" ? places.memory : places.disk;
}

/** A scenario: one kind of transfer that is measured, and the tools that it is compared with. */
export interface Scenario {
  /** Name of the scenario on the command line. */
  name: string;
  /** Description of the scenario's measurements, in one sentence. */
  about: string;
  rounds: Record<Effort, number>;
  /** Approximate duration on 2 cores, in s. */
  seconds: Record<Effort, number>;
  /** True: a quick run includes this scenario only if the command line names it. */
  heavy?: boolean;
  measure: (run: Run) => Promise<void>;
}

/**
 * Runs all measurements one after the other in each round. Every second round has the reverse order, so that
 * changes of the machine affect all of them equally.
 */
export async function alternate(
  { rounds, signal }: Pick<Run, "rounds" | "signal">,
  contenders: readonly ((round: number) => Promise<void>)[],
): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const contender of round % 2 ? contenders.toReversed() : contenders) {
      signal.throwIfAborted();
      await contender(round);
    }
  }
}

/** Runs work and returns its duration, in s. */
export async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}
