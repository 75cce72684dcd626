import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Program } from "./programs.ts";
import { waitFor } from "./wait.ts";
import { spawn } from "./spawn.ts";

export interface TraceOptions {
  /** Names of system calls, such as `"fsync,fdatasync"`. */
  calls: string;
  /** The fault injected into each call, in the syntax of strace: `"error=EIO"`, `"signal=STOP"`. */
  inject?: string;
  /** Restricts the trace to calls on this file. */
  path?: string;
}

/** Traces the system calls of a running program, and injects faults. Disposal detaches from the program. */
export class Strace implements AsyncDisposable {
  private constructor(
    private readonly tracer: Bun.Subprocess,
    private readonly output: string,
  ) {}

  /** Attaches strace to all threads of a program. @param folder for strace's output file */
  static async attach(
    program: Program,
    folder: string,
    { calls, inject, path }: TraceOptions,
  ): Promise<Strace> {
    const output = join(folder, `${Bun.randomUUIDv7()}.strace`);
    const how = inject === undefined ? [] : ["-e", `inject=${calls}:${inject}`];
    const where = path === undefined ? [] : ["-P", path];
    // -f: trace all threads, because thread-pool threads read and write the files. -s 0: omit the data of
    // calls.
    const flags = ["-f", "-qq", "-y", "-s", "0", "-o", output, "-e", `trace=${calls}`];
    const tracer = spawn(["strace", ...flags, ...how, ...where, "-p", String(program.pid)], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    const strace = new Strace(tracer, output);
    await waitFor(() => isTraced(program.pid), `strace to hold ${program.name}`);
    return strace;
  }

  /** The calls that have returned and the signals received, one line each in strace's format. */
  get lines(): string[] {
    return wholeCalls(readFileSync(this.output, "utf8").split("\n").slice(0, -1));
  }

  /** The number of calls with an injected fault. */
  get injected(): number {
    return this.lines.filter((line) => line.includes("(INJECTED)")).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.tracer.kill("SIGTERM");
    await this.tracer.exited;
  }
}

/**
 * Joins calls that strace wrote in two lines because another thread made a call meanwhile: first
 * `7 write(3, ""..., 9, 0 <unfinished ...>`, later `7 <... write resumed>) = 9`.
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

/** Reports whether a tracer is attached to all threads of a process. */
function isTraced(pid: number): boolean {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).every(
    (task) => !/^TracerPid:\t0$/m.test(readFileSync(join(tasks, task, "status"), "utf8")),
  );
}
