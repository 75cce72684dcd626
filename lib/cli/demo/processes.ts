import { closeSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Environment } from "../../util/settings.ts";
import { plainText } from "../../util/plain-text.ts";
import { pause } from "../pause.ts";
import { Failure } from "../program.ts";

/** Interval at which logs are polled, in ms. */
const POLL_INTERVAL = 50;

/** Time limit for a process to end after SIGTERM, in ms. */
const STOP_TIMEOUT = 10_000;

/** The number of log lines that an error message quotes. */
const LAST_LINES = 10;

/** Environment variables that a child process inherits. None of them is a setting of this project. */
const INHERITED = [
  "HOME",
  "LANG",
  "PATH",
  "SystemRoot",
  "TEMP",
  "TMP",
  "TMPDIR",
  "USERPROFILE",
] as const;

/**
 * Returns the environment for a child process that must not see the settings of its parent.
 * @param additions variables to add for the child
 */
export function childEnvironment(
  env: Environment,
  additions: Record<string, string>,
): Record<string, string> {
  const inherited = INHERITED.flatMap((name) => {
    const value = env[name];
    return value === undefined ? [] : [[name, value]];
  });
  return { ...Object.fromEntries(inherited), ...additions };
}

/** Child processes that run together. If one of the processes ends by itself, the whole group has failed. */
export class Processes implements AsyncDisposable {
  private readonly children: Bun.Subprocess[] = [];
  private readonly failure = new AbortController();
  private isStopping = false;
  private readonly killAll = () => {
    for (const child of this.children) child.kill("SIGKILL");
  };
  /** Aborted when the constructor's signal is aborted, or when a child process ends by itself. */
  readonly signal: AbortSignal;

  /**
   * @param folder the working directory of the processes, which also holds their logs
   * @param signal aborts {@link Processes.signal}, and with it each wait for a line in a log
   */
  constructor(
    private readonly folder: string,
    signal: AbortSignal,
  ) {
    this.signal = AbortSignal.any([signal, this.failure.signal]);
    // Kills the child processes if this process exits without a call of stop().
    process.once("exit", this.killAll);
  }

  /**
   * Starts a Bun program, whose output is appended to `<name>.log`. No `.env` file is read.
   * @param argv the program's file and its flags
   */
  start(name: string, argv: string[], env: Record<string, string>): void {
    const log = openSync(this.logFile(name), "a");
    try {
      // --no-orphans ends the child even if this process is killed.
      const child = Bun.spawn([process.execPath, "--no-env-file", "--no-orphans", ...argv], {
        cwd: this.folder,
        env,
        stdin: "ignore",
        stdout: log,
        stderr: log,
        onExit: (_, exitCode, signal) => this.onEnd(name, exitCode ?? `signal ${signal}`),
      });
      this.children.push(child);
    } finally {
      closeSync(log);
    }
  }

  /**
   * Waits for a line in a program's log.
   * @param timeout time limit in ms
   * @throws Failure with the last lines of the log when the line does not appear in time
   * @throws the reason of {@link Processes.signal} when that signal is aborted
   */
  async waitForLine(name: string, pattern: RegExp, timeout: number): Promise<RegExpExecArray> {
    const deadline = performance.now() + timeout;
    for (;;) {
      const line = pattern.exec(await readFile(this.logFile(name), "utf8"));
      if (line) return line;
      if (performance.now() > deadline) {
        throw await this.failureOf(`${name} is not ready after ${timeout / 1000} s`, name);
      }
      await pause(POLL_INTERVAL, this.signal);
    }
  }

  logFile(name: string): string {
    return join(this.folder, `${name}.log`);
  }

  /**
   * Sends SIGTERM to every child process, and waits until all of them have ended.
   * @param timeout ms after which the remaining processes are killed
   */
  async stop(timeout = STOP_TIMEOUT): Promise<void> {
    this.isStopping = true;
    const timer = setTimeout(this.killAll, timeout);
    for (const child of this.children) child.kill("SIGTERM");
    await Promise.all(this.children.map((child) => child.exited));
    clearTimeout(timer);
    process.off("exit", this.killAll);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  private async onEnd(name: string, exit: number | string): Promise<void> {
    if (this.isStopping) return;
    const what = typeof exit === "number" ? `exit code ${exit}` : exit;
    this.failure.abort(await this.failureOf(`${name} ended by itself with ${what}`, name));
  }

  private async failureOf(what: string, name: string): Promise<Failure> {
    const log = await readFile(this.logFile(name), "utf8");
    const lines = log.trimEnd().split("\n").slice(-LAST_LINES).map(plainText);
    return new Failure([`${what}, the end of ${name}.log:`, ...lines].join("\n  "));
  }
}
