import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { waitFor, within } from "./wait.ts";
import { spawn } from "./spawn.ts";

const PROJECT = join(import.meta.dir, "../..");

export interface ProgramOptions {
  /** For its log, `<name>.log`. */
  name: string;
  /** Where it runs, and where its log is. */
  folder: string;
  /** `server.ts`, with its flags. */
  argv: string[];
  /** A built program that runs with `argv`, in place of Bun and the sources. */
  executable?: string;
  env: Record<string, string>;
  /** In the line that says that it is ready. */
  ready: RegExp;
}

/** A line of a program's log; what the logger did not write, a crash for one, is a message alone. */
export interface LogLine {
  message: string;
  [field: string]: unknown;
}

/** One of our programs as a real process, which can be killed and started again. */
export class Program implements AsyncDisposable {
  #process: Bun.Subprocess;
  /** Length of the log that earlier runs wrote. */
  #logBefore = 0;

  private constructor(private readonly options: ProgramOptions) {
    this.#process = this.#spawn(options.argv);
  }

  /** Resolves when the program says that it is ready. */
  static async start(options: ProgramOptions): Promise<Program> {
    const program = new Program(options);
    try {
      await program.waitForLine(options.ready);
    } catch (error) {
      await program[Symbol.asyncDispose]();
      throw error;
    }
    return program;
  }

  get name(): string {
    return this.options.name;
  }

  /** The number of its process; another one after a restart. */
  get pid(): number {
    return this.#process.pid;
  }

  /** Ends it at this very moment, if it runs; KILL is `kill -9`. */
  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Waits until it has ended; gives the exit code, null where a signal ended it. */
  async ended(): Promise<number | null> {
    await within(this.#process.exited, `${this.name} to end`);
    return this.#process.exitCode;
  }

  /** Waits until it has ended, but not for longer than this, in ms. */
  async endsWithin(ms: number): Promise<void> {
    await Promise.race([this.#process.exited, Bun.sleep(ms)]);
  }

  /**
   * Starts it again once it has ended, and waits until it is ready.
   * @param more flags that override those it had
   */
  async restart(more: string[] = []): Promise<void> {
    await this.launch(more);
    await this.waitForLine(this.options.ready);
  }

  /** As {@link restart}, but it may take its time to be ready. */
  async launch(more: string[] = []): Promise<void> {
    await this.ended();
    this.#logBefore = this.#text().length;
    this.#process = this.#spawn([...this.options.argv, ...more]);
  }

  /** Waits for a line of this run. */
  async waitForLine(pattern: RegExp): Promise<LogLine> {
    const { name } = this.options;
    return waitFor(() => {
      const line = this.log().find(({ message }) => pattern.test(message));
      if (!line && this.#process.exitCode !== null) {
        throw new Error(`${name} ended before it said ${pattern}:\n${this.#text()}`);
      }
      return line;
    }, `${name} to say ${pattern}`);
  }

  /** The log of this run. */
  log(): LogLine[] {
    const lines = this.#text().slice(this.#logBefore).split("\n");
    return lines.filter((line) => line !== "").map(parseLine);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.signal("SIGKILL");
    await this.ended();
  }

  get #logFile(): string {
    return join(this.options.folder, `${this.options.name}.log`);
  }

  #text(): string {
    return readFileSync(this.#logFile, "utf8");
  }

  #spawn([file = "", ...flags]: string[]): Bun.Subprocess {
    const { folder, env, executable } = this.options;
    // No settings of the developer's reach it, and it ends when the tests are killed.
    const bun = [process.execPath, "--no-env-file", "--no-orphans", join(PROJECT, file)];
    const command = [...(executable === undefined ? bun : [executable, file]), ...flags];
    const log = openSync(this.#logFile, "a");
    try {
      return spawn(command, {
        cwd: folder,
        env: { LOG_FORMAT: "json", ...env },
        stdio: ["ignore", log, log],
      });
    } finally {
      closeSync(log);
    }
  }
}

function parseLine(line: string): LogLine {
  try {
    return JSON.parse(line);
  } catch {
    return { message: line };
  }
}
