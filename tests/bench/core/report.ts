import { type Column, renderTable } from "../../../lib/cli/terminal/table.ts";
import { formatSize } from "../../../lib/util/sizes.ts";
import { limitOf, type Verdict } from "./bars.ts";
import type { Figure } from "./figures.ts";
import type { Result, ScenarioResult } from "./result.ts";

const FIGURE_COLUMNS: Column[] = [
  { title: "figure" },
  { title: "median", right: true },
  { title: "min", right: true },
  { title: "max", right: true },
  { title: "unit" },
];

const BAR_COLUMNS: Column[] = [
  { title: "bar" },
  { title: "reach", right: true },
  { title: "reached", right: true },
  { title: "verdict" },
];

const EXPLANATION = `A ratio is made of two figures of the same round. Of all rounds: the median, the least and the most.
Ratios of times have us below the line: more is better.`;

/** Formats a number with three significant digits. Numbers from 100 on are rounded to whole numbers. */
export function formatNumber(value: number): string {
  const whole = Math.abs(value) >= 100;
  return whole ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}

/** Formats the figures of a scenario as a table for a terminal. */
export function scenarioLines(result: ScenarioResult, coloured: boolean): string[] {
  const missing = result.notRun.map(({ what, why }) => `not run: ${what}: ${why}`);
  return [...renderTable(FIGURE_COLUMNS, result.figures.map(figureCells), coloured), ...missing];
}

/** Formats the verdict on each bar as a table for a terminal. */
export function verdictLines(verdicts: readonly Verdict[], coloured: boolean): string[] {
  return renderTable(BAR_COLUMNS, verdicts.map(verdictCells), coloured);
}

/**
 * Formats the whole result as Markdown. The table of bars has an empty column for the reason why a bar was
 * missed.
 */
export function markdown(result: Result): string {
  const { machine, commit, effort, startedAt } = result;
  const places = Object.entries(machine.fileSystems).map(([name, type]) => `${name} ${type}`);
  const facts = [
    `commit ${commit}`,
    `measured ${startedAt} by \`bun run bench${effort === "full" ? "" : ` --${effort}`}\``,
    `${machine.cores} cores of ${machine.cpu}, ${formatSize(machine.memory)} of memory`,
    `Linux ${machine.kernel}, Bun ${machine.bun}`,
    `file systems: ${places.join(", ")}`,
  ];
  const columns = [...BAR_COLUMNS, { title: "bounded by" }];
  const bars = result.verdicts.map((verdict) => [...verdictCells(verdict), ""]);
  return [
    "# Results of `bun run bench`",
    facts.map((fact) => `- ${fact}`).join("\n"),
    EXPLANATION,
    ...(bars.length > 0 ? ["## Bars", markdownTable(columns, bars)] : []),
    ...result.scenarios.flatMap(markdownOfScenario),
  ]
    .join("\n\n")
    .concat("\n");
}

function markdownOfScenario(scenario: ScenarioResult): string[] {
  const { name, about, rounds, figures, notRun } = scenario;
  return [
    `## ${name}`,
    `${about}; ${rounds === 1 ? "one round" : `${rounds} rounds`}.`,
    markdownTable(FIGURE_COLUMNS, figures.map(figureCells)),
    ...notRun.map(({ what, why }) => `Not run: ${what}: ${why}.`),
  ];
}

function markdownTable(columns: Column[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(" | ")} |`;
  const titles = columns.map(({ title }) => title);
  const rule = columns.map(({ right }) => (right ? "--:" : "---"));
  return [titles, rule, ...rows].map(line).join("\n");
}

function figureCells({ name, unit, median, min, max }: Figure): string[] {
  return [name, ...[median, min, max].map(formatNumber), unit];
}

function verdictCells({ bar, reached, verdict }: Verdict): string[] {
  return [bar.what, limitOf(bar), reached === null ? "" : formatNumber(reached), verdict];
}
