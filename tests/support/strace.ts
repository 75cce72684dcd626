import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Program } from "./programs.ts";
import { waitFor } from "./wait.ts";
import { spawn } from "./spawn.ts";

export interface TraceOptions {
  /** System calls: `"fsync,fdatasync"`. */
  calls: string;
  /** What is done to each of them, as strace has it: `"error=EIO"`, `"signal=STOP"`. */
  inject?: string;
  /** Only calls on this file. */
  path?: string;
}

/** The system calls of a program that runs, watched and made to fail; disposal lets go of it. */
export class Strace implements AsyncDisposable {
  private constructor(
    private readonly tracer: Bun.Subprocess,
    private readonly output: string,
  ) {}

  /** @param folder for strace's output; it may be any that the test removes */
  static async attach(
    program: Program,
    folder: string,
    { calls, inject, path }: TraceOptions,
  ): Promise<Strace> {
    const output = join(folder, `${Bun.randomUUIDv7()}.strace`);
    const how = inject === undefined ? [] : ["-e", `inject=${calls}:${inject}`];
    const where = path === undefined ? [] : ["-P", path];
    // -f: files are read and written by threads. -s 0: none of what they hold.
    const flags = ["-f", "-qq", "-y", "-s", "0", "-o", output, "-e", `trace=${calls}`];
    const tracer = spawn(["strace", ...flags, ...how, ...where, "-p", String(program.pid)], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    const strace = new Strace(tracer, output);
    await waitFor(() => isTraced(program.pid), `strace to hold ${program.name}`);
    return strace;
  }

  /** The calls that have returned, and the signals that came between, a line each as strace writes it. */
  get lines(): string[] {
    return wholeCalls(readFileSync(this.output, "utf8").split("\n").slice(0, -1));
  }

  /** How often a call was made to fail, or to stop. */
  get injected(): number {
    return this.lines.filter((line) => line.includes("(INJECTED)")).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.tracer.kill("SIGTERM");
    await this.tracer.exited;
  }
}

/**
 * Puts each call together that strace wrote as two lines, as it does when another thread calls meanwhile:
 * `7 write(3, ""..., 9, 0 <unfinished ...>` and `7 <... write resumed>) = 9`.
 */
export function wholeCalls(lines: readonly string[]): string[] {
  const begun = new Map<string, string>();
  return lines.flatMap((line) => {
    const [thread = ""] = line.split(" ", 1);
    const start = /^(.*) <unfinished \.\.\.>$/.exec(line)?.[1];
    if (start !== undefined) {
      begun.set(thread, start);
      return [];
    }
    const rest = /^\d+ +<\.\.\. \w+ resumed>(.*)$/.exec(line)?.[1];
    return rest === undefined ? [line] : [`${begun.get(thread) ?? thread}${rest}`];
  });
}

/** Whether all of its threads are. */
function isTraced(pid: number): boolean {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).every(
    (task) => !/^TracerPid:\t0$/m.test(readFileSync(join(tasks, task, "status"), "utf8")),
  );
}
