import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { BARS } from "./core/bars.ts";
import { markdown } from "./core/report.ts";
import { runScenarios } from "./core/run.ts";
import { SCENARIOS } from "./scenarios/all.ts";
import { spawnSync } from "../support/spawn.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Runs one tiny round of every scenario. Checks that it works and that it measures all figures that the bars
 * need.
 */

const isLinux = process.platform === "linux";
const reason = isLinux ? "" : " (needs Linux: it reads /proc)";

const { signal } = new AbortController();

const isNumber = (value: number) => !Number.isNaN(value);

describe.skipIf(!isLinux)(`a tiny round${reason}`, () => {
  test.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))(
    "of %s measures all that its bars ask for",
    async (name, scenario) => {
      const result = await runScenarios({ scenarios: [scenario], effort: "tiny", signal });
      const [measured] = result.scenarios;
      const { figures, notRun } = measured!;
      for (const { name: figure, values } of figures) {
        expect(values.length).toBeGreaterThan(0);
        // While other programs run, the lag may exceed the histogram's highest bucket, which makes it
        // Infinity.
        const isKnown = figure.startsWith("event-loop lag") ? isNumber : Number.isFinite;
        expect(values.filter((value) => !isKnown(value))).toEqual([]);
      }
      const missing = notRun.map(({ what }) => what);
      const wanted = BARS.filter((bar) => bar.scenario === name)
        .map(({ figure }) => figure)
        .filter((figure) => !missing.some((what) => figure.startsWith(`${what} ÷`)));
      expect(figures.map((figure) => figure.name)).toEqual(expect.arrayContaining(wanted));
      // A scenario that cannot run on this machine must report that as `notRun`.
      expect(figures.length + notRun.length).toBeGreaterThan(0);
      for (const figure of figures) expect(markdown(result)).toContain(`| ${figure.name} |`);
    },
  );
});

test("every bar is about a scenario that there is", () => {
  const names = new Set(SCENARIOS.map(({ name }) => name));
  expect(BARS.filter(({ scenario }) => !names.has(scenario))).toEqual([]);
});

describe("the command line", () => {
  const run = (...args: string[]) => {
    const argv = [process.execPath, "--no-env-file", join(import.meta.dir, "bench.ts"), ...args];
    const { exitCode, stdout, stderr } = spawnSync(argv);
    return { exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
  };

  test("names every scenario in its help", () => {
    const { exitCode, stdout } = run("--help");
    expect(exitCode).toBe(0);
    for (const { name, about } of SCENARIOS)
      expect(stdout).toContain(`  ${name}\n      ${about}\n`);
  });

  test.each([
    [["everything"], 'unknown scenario "everything", expected some of 100mib-disk '],
    [["--rounds", "0"], '--rounds is "0", expected a whole number from 1 to 100'],
    [["--fast"], 'unknown flag "--fast"'],
  ])("refuses %j", (args, message) => {
    const { exitCode, stderr } = run(...args);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(message);
  });
});
