import type { Verdict } from "./bars.ts";
import type { Figure } from "./figures.ts";
import type { Machine } from "./machine.ts";
import type { Effort } from "./scenario.ts";

export interface ScenarioResult {
  name: string;
  about: string;
  rounds: number;
  /** Duration of the whole scenario, in s. */
  seconds: number;
  figures: Figure[];
  notRun: { what: string; why: string }[];
}

/** The result of a run of the bench, as `--json` writes it. */
export interface Result {
  commit: string;
  /** Start of the run, as ISO 8601 in UTC. */
  startedAt: string;
  effort: Effort;
  machine: Machine;
  scenarios: ScenarioResult[];
  verdicts: Verdict[];
}
