import { availableParallelism } from "node:os";
import { Failure, runProgram } from "../../lib/cli/program.ts";
import { parseFlags } from "../../lib/util/flags.ts";
import { runBunTest } from "./bun-test.ts";
import { prepare } from "./prepare.ts";
import { closingLine, type TestResult } from "./report.ts";
import { stdout } from "../../lib/util/output.ts";

/*
 * `bun run test [FILE…]` runs every test that this machine can run, except tests/faults, which takes as long
 * as all others together and is run by `bun run test --faults`. A test that needs more than Bun (a tool, a
 * browser, root) is skipped if that is missing, and its name says how to install it. Skipped tests are listed
 * at the end.
 */

/** Folder of the tests that inject faults. They run only with `--faults`. */
const FAULTS = "tests/faults/";

const HELP = `Runs the tests and says what could not be run here.

Usage: bun run test [--faults] [--timings] [FILE…]
  FILE       only test files whose path holds this text, of any tier
  --faults   the tier of faults, and nothing else: ${FAULTS}
  --timings  write down how long each file takes, for later runs`;

const FLAGS = { faults: { type: "boolean" }, timings: { type: "boolean" } } as const;

/**
 * Number of test files that run in parallel: three for each core, as most tests wait more than they compute.
 */
const PROCESSES = 3 * availableParallelism();

/**
 * File with the duration of each test file, in ms. Bun starts the slowest test files first, so that no slow
 * one is left at the end, when most processes are idle. Files that are not listed are started in any order.
 */
const TIMINGS = "tests/gate/timings.json";

/** With more test files than this, preparing bundles and a Postgres cluster for all of them saves time. */
const MANY = 20;

/** Test files that measure time. They run one after the other, after all others, when the CPU is idle. */
const SERIAL = /\.serial\.test\.ts$/;

interface Choice {
  /** Selects test files whose path contains one of these texts. If empty, `faults` decides. */
  texts: readonly string[];
  /** Without `texts`: true selects all files in tests/faults, false all other files. */
  faults: boolean;
  writesTimings: boolean;
}

/** Returns the paths of the selected test files, sorted. @throws Failure if there are none */
function filesOf({ texts, faults }: Choice): string[] {
  const all = [...new Bun.Glob("tests/**/*.test.ts").scanSync()].map((file) =>
    file.replaceAll("\\", "/"),
  );
  const isChosen = (file: string) =>
    texts.length > 0
      ? texts.some((text) => file.includes(text))
      : file.startsWith(FAULTS) === faults;
  const files = all.filter(isChosen).toSorted();
  if (files.length > 0) return files;
  throw new Failure(
    `no test file has a path with ${[...texts, ...(faults ? [FAULTS] : [])].join(", ")}`,
  );
}

async function runTests(choice: Choice, signal: AbortSignal): Promise<TestResult[]> {
  const { writesTimings } = choice;
  const files = filesOf(choice);
  await using prepared = files.length > MANY ? await prepare(!choice.faults) : null;
  const env = { ...process.env, ...prepared?.env };
  const common = { env, output: "inherit", signal } as const;
  const parallel = files.filter((file) => !SERIAL.test(file));
  const results: TestResult[] = [];
  if (parallel.length > 0) {
    const timings = [`--timings=${TIMINGS}`, ...(writesTimings ? ["--update-timings"] : [])];
    const flags = [`--parallel=${PROCESSES}`, ...timings];
    results.push(...(await runBunTest({ ...common, files: parallel, flags })));
  }
  for (const file of files.filter((each) => SERIAL.test(each))) {
    results.push(...(await runBunTest({ ...common, files: [file] })));
  }
  return results;
}

/** Prints a heading and the names of tests, with the reason of each failure. */
function list(heading: string, results: readonly TestResult[]): void {
  if (results.length === 0) return;
  const lines = results.map(({ file, name, reason }) => {
    const title = file ? `${file}: ${name}` : name;
    return reason === undefined ? title : `${title}\n${reason}`.replaceAll("\n", "\n      ");
  });
  stdout.write(`${[`\n${heading}`, ...new Set(lines)].join("\n  ")}\n`);
}

/** Runs the tests and prints the counts as the last line. @returns the exit code: 0 if no test failed */
async function main(signal: AbortSignal): Promise<number> {
  const { values, positionals } = parseFlags(process.argv.slice(2), FLAGS, Infinity);
  if (values["help"]) {
    stdout.write(`${HELP}\n`);
    return 0;
  }
  const choice = {
    texts: positionals,
    faults: values["faults"] === true,
    writesTimings: values["timings"] === true,
  };
  const results = await runTests(choice, signal);
  const failed = results.filter(({ outcome }) => outcome === "failed");
  list(
    "Not run here:",
    results.filter(({ outcome }) => outcome === "skipped"),
  );
  list("Failed:", failed);
  stdout.write(`\n${closingLine(results)}\n`);
  return failed.length > 0 ? 1 : 0;
}

if (import.meta.main) await runProgram(main);
