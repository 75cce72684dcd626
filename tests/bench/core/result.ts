import type { Verdict } from "./bars.ts";
import type { Figure } from "./figures.ts";
import type { Machine } from "./machine.ts";
import type { Effort } from "./scenario.ts";

export interface ScenarioResult {
  name: string;
  about: string;
  rounds: number;
  /** How long all of it took. */
  seconds: number;
  figures: Figure[];
  notRun: { what: string; why: string }[];
}

/** All that a run of the bench tells; what `--json` writes. */
export interface Result {
  commit: string;
  /** ISO 8601, UTC. */
  startedAt: string;
  effort: Effort;
  machine: Machine;
  scenarios: ScenarioResult[];
  verdicts: Verdict[];
}
