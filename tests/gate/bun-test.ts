import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TEST_LIMIT } from "../support/wait.ts";
import { resultsOf, type TestResult } from "./report.ts";

export interface BunTestOptions {
  /** Paths of the test files, relative to `cwd`. */
  files: readonly string[];
  /** Further flags of `bun test`. */
  flags?: readonly string[];
  /** Working directory of the tests; by default that of this process. */
  cwd?: string;
  env?: Record<string, string | undefined>;
  /** Whether the output of `bun test` goes to this process's output or is discarded. */
  output: "inherit" | "ignore";
  signal: AbortSignal;
  /** Time after which `bun test` is killed, in ms; by default never. */
  timeout?: number;
}

/**
 * Runs `bun test` in a process of its own, and returns the result of each test.
 * @throws the reason of `signal` if it is aborted
 */
export async function runBunTest(options: BunTestOptions): Promise<TestResult[]> {
  const { files, flags = [], cwd = process.cwd(), env = process.env } = options;
  const { output, signal, timeout } = options;
  const folder = await mkdtemp(join(tmpdir(), "fds-gate-"));
  const reportFile = join(folder, "junit.xml");
  try {
    const reporting = ["--reporter=junit", `--reporter-outfile=${reportFile}`];
    // --no-orphans ends processes that a test has started and left running.
    const args = ["test", "--no-orphans", `--timeout=${TEST_LIMIT}`, ...reporting, ...flags];
    // "./" makes each argument a path. Without it, Bun would run all files whose path contains the text.
    const paths = files.map((file) => `./${file}`);
    const child = Bun.spawn([process.execPath, ...args, ...paths], {
      cwd,
      env,
      stdio: ["ignore", output, output],
      signal,
      ...(timeout !== undefined && { timeout }),
    });
    const exitCode = await child.exited;
    signal.throwIfAborted();
    const report = await readFile(reportFile, "utf8").catch(() => null);
    return resultsOf({ files, report, exit: child.signalCode ?? exitCode });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
