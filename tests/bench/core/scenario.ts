import type { Figures } from "./figures.ts";
import type { Place, PlaceName } from "./workspace.ts";

/** `tiny` shows that the bench works, `quick` is for a look, `full` for the record. */
export type Effort = "tiny" | "quick" | "full";

/** What a scenario gets to work with. */
export interface Run {
  effort: Effort;
  /** How often everything is measured. */
  rounds: number;
  places: Record<PlaceName, Place>;
  /** Where what was measured goes. */
  figures: Figures;
  /** Says that a yardstick, or a part of the scenario, could not be run here, and what to do. */
  notRun: (what: string, why: string) => void;
  /** Aborted when somebody ended the bench. */
  signal: AbortSignal;
}

/** The disk; for a tiny run memory, which does not wait until the writes of others are flushed. */
export function diskOf({ effort, places }: Pick<Run, "effort" | "places">): Place {
  return effort === "tiny" ? places.memory : places.disk;
}

/** Something that is measured, with what it is compared with. */
export interface Scenario {
  /** For the command line. */
  name: string;
  /** One sentence. */
  about: string;
  rounds: Record<Effort, number>;
  /** About how long it takes on 2 cores, in s. */
  seconds: Record<Effort, number>;
  /** Not part of a quick look, unless it is named. */
  heavy?: boolean;
  measure: (run: Run) => Promise<void>;
}

/**
 * Runs all contenders in each round, one after the other, and in the other direction in every second
 * round: what the machine does meanwhile falls on all of them.
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

/** Runs something and gives how long it took, in s. */
export async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}
