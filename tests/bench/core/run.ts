import { BARS, judge } from "./bars.ts";
import { Figures } from "./figures.ts";
import { commit, machine } from "./machine.ts";
import type { Result, ScenarioResult } from "./result.ts";
import { type Effort, type Scenario, secondsOf } from "./scenario.ts";
import { Workspace } from "./workspace.ts";

export interface RunOptions {
  scenarios: readonly Scenario[];
  effort: Effort;
  /** Number of rounds for every scenario, instead of each scenario's own number. */
  rounds?: number;
  signal: AbortSignal;
  onStart?: (scenario: Scenario) => void;
  onResult?: (result: ScenarioResult) => void;
}

/**
 * Runs scenarios one after the other, in temporary folders that are removed at the end.
 * @throws Failure if a measured program does not work
 */
export async function runScenarios(options: RunOptions): Promise<Result> {
  const startedAt = new Date().toISOString();
  await using workspace = await Workspace.open();
  const scenarios: ScenarioResult[] = [];
  for (const scenario of options.scenarios) {
    options.onStart?.(scenario);
    const result = await measure(scenario, workspace, options);
    options.onResult?.(result);
    scenarios.push(result);
  }
  const { disk, memory } = workspace.places;
  return {
    commit: commit(),
    startedAt,
    effort: options.effort,
    machine: await machine({ disk: disk.folder, memory: memory.folder }),
    scenarios,
    verdicts: judge(BARS, scenarios),
  };
}

async function measure(
  scenario: Scenario,
  { places }: Workspace,
  { effort, rounds = scenario.rounds[effort], signal }: RunOptions,
): Promise<ScenarioResult> {
  const { name, about } = scenario;
  const figures = new Figures();
  const notRun: ScenarioResult["notRun"] = [];
  const run = {
    effort,
    rounds,
    places,
    figures,
    notRun: (what: string, why: string) => void notRun.push({ what, why }),
    signal,
  };
  try {
    const seconds = await secondsOf(() => scenario.measure(run));
    return { name, about, rounds, seconds, figures: figures.list(), notRun };
  } catch (error) {
    // Ctrl-C also ends the measured programs, so their errors are not reported as failures.
    signal.throwIfAborted();
    throw error;
  }
}
