import { availableParallelism } from "node:os";
import { Failure, runProgram } from "../../lib/cli/program.ts";
import { parseFlags } from "../../lib/util/flags.ts";
import { runBunTest } from "./bun-test.ts";
import { prepare } from "./prepare.ts";
import { closingLine, type TestResult } from "./report.ts";
import { stdout } from "../../lib/util/output.ts";

/*
 * `bun run test [FILE…]`: every test that this machine can run, but for the tier of faults, which takes as
 * long as all others together: `bun run test --faults`. A test that needs more than Bun
 * (a tool, a browser, root) is skipped where that is missing, and its name says how to get it:
 * the names are listed at the end, so that nobody takes "skipped" for "works".
 */

/** The tier of faults. */
const FAULTS = "tests/faults/";

const HELP = `Runs the tests and says what could not be run here.

Usage: bun run test [--faults] [--timings] [FILE…]
  FILE       only test files whose path holds this text, of any tier
  --faults   the tier of faults, and nothing else: ${FAULTS}
  --timings  write down how long each file takes, for later runs`;

const FLAGS = { faults: { type: "boolean" }, timings: { type: "boolean" } } as const;

/** Test files that run at once. Most of them wait more than they compute: three for each core. */
const PROCESSES = 3 * availableParallelism();

/**
 * How long files take, in ms. The slowest begin first, so that none of them is left over at the end, when
 * most of the processes have nothing to do. A file that is not in it begins when it may.
 */
const TIMINGS = "tests/gate/timings.json";

/** So many files are worth what is prepared for them. */
const MANY = 20;

/** Files that measure time: they run one after the other, when nothing else takes the processor. */
const SERIAL = /\.serial\.test\.ts$/;

interface Choice {
  /** Only files whose path holds one of these; empty: a whole tier. */
  texts: readonly string[];
  /** The tier of faults, and not the other one. */
  faults: boolean;
  writesTimings: boolean;
}

/** The files of a choice, in order. @throws Failure where there are none */
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
  await using prepared = files.length > MANY ? await prepare() : null;
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

/** Names the tests that ended in a way, under a heading, with the reason of those that have one. */
function list(heading: string, results: readonly TestResult[]): void {
  if (results.length === 0) return;
  const lines = results.map(({ file, name, reason }) => {
    const title = file ? `${file}: ${name}` : name;
    return reason === undefined ? title : `${title}\n${reason}`.replaceAll("\n", "\n      ");
  });
  stdout.write(`${[`\n${heading}`, ...new Set(lines)].join("\n  ")}\n`);
}

/** @returns the exit code; the line of counts is the last one, whatever came of the tests */
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
