import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawn } from "../support/spawn.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* Starts `bun run test` in a temporary folder with a few small test files, in a pipe and in a terminal. */

const PROGRAM = join(import.meta.dir, "run-tests.ts");

const FILES = {
  passes: `test("fine", () => {}); test.skip("lame (needs legs: apt-get install legs)", () => {});`,
  groups: `describe("group", () => { test("» (skip) 7 fail", () => console.error(" 9 pass")); });`,
  fails: `test("wrong", () => expect(1).toBe(2));`,
  "cannot-load": `test("never", () => {}); throw new Error("no");`,
  dies: `test("before", () => {}); test("dies", () => process.kill(process.pid, "SIGKILL"));`,
  exits: `test("before", () => {}); test("exits", () => process.exit(0));`,
  // A file with ".serial" in its name runs alone, after the parallel ones, in a process of its own.
  "dies.serial": `test("dies", () => process.kill(process.pid, "SIGKILL"));`,
};

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-run-tests-"));
  await mkdir(join(folder, "tests"));
  for (const [name, text] of Object.entries(FILES)) {
    const imports = 'import { describe, expect, test } from "bun:test";\n';
    await Bun.write(join(folder, "tests", `${name}.test.ts`), imports + text);
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const argvOf = (files: string[]) => [
  process.execPath,
  PROGRAM,
  ...files.map((name) => `tests/${name}.test.ts`),
];

/** Runs test files with their output in pipes. @returns standard output and the exit code */
async function inPipe(files: string[], env: Record<string, string> = {}) {
  const child = spawn(argvOf(files), {
    cwd: folder,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { text: stdout, exitCode: await child.exited };
}

/** Runs test files in a terminal. @returns the text on the screen and the exit code */
async function inTerminal(files: string[], env: Record<string, string> = {}) {
  const decoder = new TextDecoder();
  let screen = "";
  const child = spawn(argvOf(files), {
    cwd: folder,
    env: { TERM: "xterm-256color", ...env },
    terminal: {
      cols: 80,
      rows: 24,
      data: (_, bytes) => void (screen += decoder.decode(bytes, { stream: true })),
    },
  });
  const exitCode = await child.exited;
  child.terminal?.close();
  return { text: Bun.stripANSI(screen).replaceAll("\r", ""), exitCode };
}

describe("names what was not run and ends with the counts", () => {
  test.concurrent.each<[string, typeof inPipe, Record<string, string>]>([
    ["in a pipe", inPipe, {}],
    ["in a pipe, with colours forced", inPipe, { FORCE_COLOR: "1" }],
    ["in a pipe, in CI", inPipe, { CI: "true" }],
    ["in a terminal", inTerminal, {}],
    ["in a terminal without colours", inTerminal, { NO_COLOR: "1" }],
    ["in a terminal, with colours forced", inTerminal, { FORCE_COLOR: "1" }],
    ["in a dumb terminal", inTerminal, { TERM: "dumb" }],
  ])("%s", async (_, run, env) => {
    const { text, exitCode } = await run(["passes", "groups"], env);
    expect(text).toEndWith(
      "\nNot run here:\n  tests/passes.test.ts: lame (needs legs: apt-get install legs)\n" +
        "\n2 passed, 0 failed, 1 skipped\n",
    );
    expect(exitCode).toBe(0);
  });
});

describe("names what failed, and the file of it:", () => {
  test.concurrent.each<[string, string[], string, string]>([
    ["a wrong test", ["passes", "fails"], "fails.test.ts: wrong", "1 passed, 1 failed, 1 skipped"],
    [
      "a file that cannot be loaded",
      ["groups", "cannot-load"],
      "cannot-load.test.ts: it gave no result",
      "1 passed, 1 failed",
    ],
    [
      "a process that was killed",
      ["groups", "dies"],
      "dies.test.ts: (worker crashed)",
      "2 passed, 1 failed",
    ],
    [
      "a process that ended itself, and said that all was well",
      ["groups", "exits"],
      "exits.test.ts: (worker crashed)",
      "2 passed, 1 failed",
    ],
    ["one that was alone", ["exits"], "exits.test.ts: it gave no result", "0 passed, 1 failed"],
    [
      "one that runs when the others are done",
      ["groups", "dies.serial"],
      "dies.serial.test.ts: it gave no result",
      "1 passed, 1 failed",
    ],
  ])("%s", async (_, files, named, counts) => {
    const { text, exitCode } = await inPipe(files);
    expect(text).toMatch(
      new RegExp(`\nFailed:\n  tests/${RegExp.escape(named)}.*\n(?: {6}.*\n)*\n${counts}\n$`),
    );
    expect(exitCode).toBe(1);
  });
});

test("says again why a test failed, for whoever sees only the end of the output", async () => {
  const { text } = await inPipe(["fails"]);
  const [, reason] = text.split("\nFailed:\n  tests/fails.test.ts: wrong\n");
  expect(reason).toMatch(/^ {6}.*expect\(received\)/);
  expect(reason).toContain("\n      Expected: 2\n      Received: 1\n");
  expect(reason).toMatch(/\n {6}after \d+\.\d s\n\n0 passed, 1 failed\n$/);
});

test("the faults are a tier of their own", async () => {
  const project = await mkdtemp(join(tmpdir(), "fds-run-tests-"));
  try {
    const passing = 'import { test } from "bun:test"; test("fine", () => {});';
    for (const file of ["a", "b", "faults/c"]) {
      await Bun.write(join(project, "tests", `${file}.test.ts`), passing);
    }
    const countsOf = async (...flags: string[]) => {
      const child = spawn([process.execPath, PROGRAM, ...flags], {
        cwd: project,
        stdio: ["ignore", "pipe", "ignore"],
      });
      return (await child.stdout.text()).trimEnd().split("\n").at(-1);
    };
    expect(await countsOf()).toBe("2 passed, 0 failed");
    expect(await countsOf("--faults")).toBe("1 passed, 0 failed");
    expect(await countsOf("faults/c", "tests/a")).toBe("2 passed, 0 failed");
  } finally {
    await rm(project, { recursive: true });
  }
});

test("a text that no path holds is a mistake, not a success", async () => {
  expect(await inPipe(["nowhere"])).toEqual({ text: "", exitCode: 1 });
});

test("how long files take is written down, and read by the next run", async () => {
  await mkdir(join(folder, "tests/gate"));
  const timings = () => Bun.file(join(folder, "tests/gate/timings.json"));
  await inPipe(["groups"]);
  expect(await timings().exists()).toBe(false);
  const child = spawn([...argvOf(["passes", "groups"]), "--timings"], {
    cwd: folder,
    stdio: ["ignore", "ignore", "ignore"],
  });
  expect(await child.exited).toBe(0);
  expect(Object.keys((await timings().json()).files).toSorted()).toEqual([
    "tests/groups.test.ts",
    "tests/passes.test.ts",
  ]);
  expect((await inPipe(["passes", "groups"])).exitCode).toBe(0);
});
