import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { programFile, TARGET_NAMES, type Target } from "../../lib/program/targets.ts";
import { spawn } from "./spawn.ts";
import { within } from "./wait.ts";

const PROJECT = join(import.meta.dir, "../..");

/** The target of `bun run build` for the machine that runs the tests. */
export const HOST_TARGET = hostTarget();

function hostTarget(): Target {
  const system = process.platform === "win32" ? "windows" : process.platform;
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  const isMusl = system === "linux" && header.glibcVersionRuntime === undefined;
  const name = `${system}-${process.arch}${isMusl ? "-musl" : ""}`;
  const target = TARGET_NAMES.find((known) => known === name);
  if (!target) throw new Error(`nothing is built for ${name}`);
  return target;
}

/** The single executable with all programs, built into a temporary folder. */
export class BuiltProgram implements AsyncDisposable {
  private constructor(
    /** Folder of the executable and its SHA256SUMS. */
    readonly folder: string,
    private readonly target: Target,
  ) {}

  /** Builds the executable. @param project folder of the sources */
  static async build(project = PROJECT, target = HOST_TARGET): Promise<BuiltProgram> {
    const built = new BuiltProgram(await mkdtemp(join(tmpdir(), "fds-built-")), target);
    const flags = ["--target", target, "--out", built.folder];
    const child = spawn([process.execPath, "run", "build", ...flags], {
      cwd: project,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const output = await Promise.all([child.stdout.text(), child.stderr.text()]);
    if ((await child.exited) === 0) return built;
    await built[Symbol.asyncDispose]();
    throw new Error(`not built:\n${output.join("")}`);
  }

  get path(): string {
    return join(this.folder, programFile(this.target));
  }

  /** Runs the executable and waits until it exits. */
  async run(args: string[], { cwd = this.folder, env = {}, input = "" }: RunOptions = {}) {
    const child = spawn([this.path, ...args], {
      cwd,
      env,
      stdin: Buffer.from(input),
      stdout: "pipe",
      stderr: "pipe",
    });
    const output = Promise.all([child.stdout.text(), child.stderr.text()]);
    const [stdout, stderr] = await within(output, `"fds ${args.join(" ")}" to end`);
    return { exitCode: await child.exited, stdout, stderr };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

interface RunOptions {
  cwd?: string;
  env?: Record<string, string>;
  /** Text for standard input, which is closed after it. */
  input?: string;
}
