import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TEST_LIMIT } from "../support/wait.ts";
import { resultsOf, type TestResult } from "./report.ts";

export interface BunTestOptions {
  /** Relative to `cwd`. */
  files: readonly string[];
  /** Further flags of `bun test`. */
  flags?: readonly string[];
  /** Where it runs; the folder of this process where it is not given. */
  cwd?: string;
  env?: Record<string, string | undefined>;
  /** Where its output goes. */
  output: "inherit" | "ignore";
  signal: AbortSignal;
  /** It is ended after this time, in ms. */
  timeout?: number;
}

/**
 * Runs `bun test` to its end.
 * @throws the reason of the signal when that is aborted
 */
export async function runBunTest(options: BunTestOptions): Promise<TestResult[]> {
  const { files, flags = [], cwd = process.cwd(), env = process.env } = options;
  const { output, signal, timeout } = options;
  const folder = await mkdtemp(join(tmpdir(), "fds-gate-"));
  const reportFile = join(folder, "junit.xml");
  try {
    const reporting = ["--reporter=junit", `--reporter-outfile=${reportFile}`];
    // --no-orphans: a program that a test left behind must not outlive it.
    const args = ["test", "--no-orphans", `--timeout=${TEST_LIMIT}`, ...reporting, ...flags];
    // A path that does not begin with "./" would be a pattern.
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
