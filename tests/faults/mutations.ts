import { cp, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Failure, runProgram } from "../../lib/cli/program.ts";
import { parseFlags, UsageError } from "../../lib/util/flags.ts";
import { runBunTest } from "../gate/bun-test.ts";
import type { TestResult } from "../gate/report.ts";
import { mutate, MUTATIONS } from "./mutation-list.ts";
import type { Mutation } from "./mutation-list/mutation.ts";
import { spawnSync } from "../support/spawn.ts";
import { stdout } from "../../lib/util/output.ts";

/*
 * Mutation testing: applies each mutation to a copy of the repository. The listed tests must pass without the
 * mutation and fail with it.
 */

const HELP = `Breaks the product on purpose, in a copy of it, and looks whether the tests notice.

Usage: bun tests/faults/mutations.ts [NAME…]
  NAME  only these mutations

Mutations:
${MUTATIONS.map(({ name, breaks }) => `  ${name}\n      ${breaks}`).join("\n")}
`;

const TOP = join(import.meta.dir, "../..");

/** Time limit for the tests of one file together, in ms. */
const RUN_TIMEOUT = 300_000;

if (import.meta.main) await runProgram(main);

async function main(signal: AbortSignal): Promise<void> {
  const { values, positionals } = parseFlags(process.argv.slice(2), {}, Infinity);
  if (values["help"]) return void stdout.write(HELP);
  const mutations = choose(positionals);
  const copy = await copyTree();
  let missed = 0;
  try {
    for (const mutation of mutations) {
      print(`\n${mutation.name}: ${mutation.breaks}`);
      if (!(await isCaught(mutation, copy, signal))) missed++;
    }
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
  print(`\n${mutations.length - missed} caught, ${missed} NOT CAUGHT`);
  if (missed > 0) throw new Failure("the tests do not notice all that is broken");
}

function print(line: string): void {
  stdout.write(`${line}\n`);
}

/**
 * Returns the mutations with these names, or all.
 * @throws UsageError for an unknown name, with all known ones
 */
function choose(names: readonly string[]): readonly Mutation[] {
  const known = MUTATIONS.map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(`unknown mutation "${unknown}", expected some of ${known.join(" ")}`);
  }
  return names.length === 0 ? MUTATIONS : MUTATIONS.filter(({ name }) => names.includes(name));
}

/**
 * Copies all tracked and new files of the working tree to a temporary folder.
 * @returns the path of the copy
 */
async function copyTree(): Promise<string> {
  const listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const listed = spawnSync(listing, { cwd: TOP }).stdout.toString();
  const copy = await mkdtemp(join(tmpdir(), "fds-mutations-"));
  for (const path of listed.split("\0")) {
    if (path !== "") await cp(join(TOP, path), join(copy, path));
  }
  await symlink(join(TOP, "node_modules"), join(copy, "node_modules"));
  return copy;
}

/** Reports whether each listed test that this machine can run detects the mutation. False if none can run. */
async function isCaught(mutation: Mutation, copy: string, signal: AbortSignal): Promise<boolean> {
  const path = join(copy, mutation.file);
  const text = await Bun.file(path).text();
  const verdicts: boolean[] = [];
  for (const [file, name] of Object.entries(mutation.caughtBy)) {
    const before = await runTests(copy, file, name, signal);
    if (before.passed.length === 0 && before.failed.length === 0) {
      // The test is searched by its name, because Bun also reports all tests as skipped that the name filter
      // excludes.
      print(
        `  not run here: ${file}: ${before.skipped.find((test) => test.includes(name)) ?? name}`,
      );
      continue;
    }
    await Bun.write(path, mutate(text, mutation));
    const after = await runTests(copy, file, name, signal);
    await Bun.write(path, text);
    // A test that fails without the mutation too proves nothing.
    const caught = after.failed.filter((test) => before.passed.includes(test));
    for (const test of before.failed) print(`  fails anyway: ${file}: ${test}`);
    for (const test of caught) print(`  caught by ${file}: ${test}`);
    if (caught.length === 0) print(`  NOT CAUGHT by ${file}: ${name}`);
    verdicts.push(caught.length > 0 && before.failed.length === 0);
  }
  return verdicts.length > 0 && verdicts.every(Boolean);
}

/** Runs the tests of a file whose names contain a text. @returns their full names, by outcome */
async function runTests(
  cwd: string,
  file: string,
  text: string,
  signal: AbortSignal,
): Promise<Record<TestResult["outcome"], string[]>> {
  const results = await runBunTest({
    files: [file],
    flags: ["-t", RegExp.escape(text)],
    cwd,
    // A fixed seed makes the result repeatable.
    env: { ...process.env, FDS_SEED: "1" },
    output: "ignore",
    signal,
    timeout: RUN_TIMEOUT,
  });
  const named = (wanted: TestResult["outcome"]) =>
    results.filter(({ outcome }) => outcome === wanted).map(({ name }) => name);
  return { passed: named("passed"), failed: named("failed"), skipped: named("skipped") };
}
