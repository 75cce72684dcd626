import { writeFile } from "node:fs/promises";
import { runProgram } from "../../lib/cli/program.ts";
import { paint, terminalOf } from "../../lib/cli/terminal/terminal.ts";
import { parseFlags, readSetting, UsageError } from "../../lib/util/flags.ts";
import { wholeNumber } from "../../lib/util/kinds.ts";
import { markdown, scenarioLines, verdictLines } from "./core/report.ts";
import { runScenarios } from "./core/run.ts";
import type { Effort, Scenario } from "./core/scenario.ts";
import { SCENARIOS } from "./scenarios/all.ts";
import { stdout } from "../../lib/util/output.ts";

const HELP = `Usage: bun run bench [flags] [SCENARIO…]

Measures the real server and client, in alternation with other ways to do the same, and prints
medians, the least and the most of all rounds, and ratios of the same round. Needs Linux, and a
machine on which nothing else runs.

  --quick
      smaller files, fewer rounds, and without the scenarios that take long, for a look
  --rounds N
      how often everything is measured, 1 to 100 (default: each scenario's own number)
  --json FILE
      write all figures there as JSON
  --markdown FILE
      write them there as Markdown
  --help, -h
      show this

Scenarios:
${SCENARIOS.map(({ name, about }) => `  ${name}\n      ${about}`).join("\n")}
`;

const FLAGS = {
  quick: { type: "boolean" },
  rounds: { type: "string" },
  json: { type: "string" },
  markdown: { type: "string" },
} as const;

if (import.meta.main) await runProgram(main);

async function main(signal: AbortSignal): Promise<void> {
  const { values, positionals } = parseFlags(process.argv.slice(2), FLAGS, Infinity);
  const { write, colour } = terminalOf(stdout, process.env);
  const print = (lines: string[]) => write(`${lines.join("\n")}\n`);
  if (values["help"]) return write(HELP);
  const effort = values["quick"] ? "quick" : "full";
  const scenarios = choose(positionals, effort);
  print([estimate(scenarios, effort)]);
  const result = await runScenarios({
    scenarios,
    effort,
    rounds: readRounds(values["rounds"]),
    signal,
    onStart: ({ name, about }) => print(["", paint(`${name}: ${about}`, "bold", colour)]),
    onResult: (scenario) => print(scenarioLines(scenario, colour)),
  });
  if (result.verdicts.length > 0) print(["", ...verdictLines(result.verdicts, colour)]);
  if (values["json"])
    await writeFile(String(values["json"]), `${JSON.stringify(result, null, 2)}\n`);
  if (values["markdown"]) await writeFile(String(values["markdown"]), markdown(result));
}

/**
 * Returns the scenarios to run.
 * @throws UsageError naming the known scenarios, if a name is unknown
 */
function choose(names: readonly string[], effort: Effort): Scenario[] {
  const known = SCENARIOS.map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(`unknown scenario "${unknown}", expected some of ${known.join(" ")}`);
  }
  if (names.length > 0) return SCENARIOS.filter(({ name }) => names.includes(name));
  return SCENARIOS.filter(({ heavy }) => effort === "full" || !heavy);
}

function readRounds(given: unknown): number | undefined {
  if (given === undefined) return undefined;
  const { schema, expected } = wholeNumber(1, 100);
  return readSetting({ source: "--rounds", text: String(given) }, schema, expected);
}

function estimate(scenarios: readonly Scenario[], effort: Effort): string {
  const seconds = scenarios.reduce((sum, scenario) => sum + scenario.seconds[effort], 0);
  return `${scenarios.length} scenarios, about ${Math.ceil(seconds / 60)} min`;
}
