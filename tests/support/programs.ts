import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { waitFor, within } from "./wait.ts";
import { spawn } from "./spawn.ts";

const PROJECT = join(import.meta.dir, "../..");

export interface ProgramOptions {
  /** Name of the program. Its log file is `<name>.log`. */
  name: string;
  /** Working directory of the program, which also holds its log. */
  folder: string;
  /** The program's source, such as `server.ts`, and its flags. */
  argv: string[];
  /** Path of a built executable, to be run with `argv` instead of Bun and the source. */
  executable?: string;
  env: Record<string, string>;
  /** Matches the log line that reports readiness. */
  ready: RegExp;
}

/** A line of a program's log. Output that the logger did not write, such as a crash, has only a message. */
export interface LogLine {
  message: string;
  [field: string]: unknown;
}

/** One of the project's programs as a real process, which can be killed and restarted. */
export class Program implements AsyncDisposable {
  #process: Bun.Subprocess;
  /** Length of the log that earlier runs wrote, in characters. */
  #logBefore = 0;

  private constructor(private readonly options: ProgramOptions) {
    this.#process = this.#spawn(options.argv);
  }

  /** Starts a program, and waits for the log line that reports readiness. */
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

  /** The process id, which changes with a restart. */
  get pid(): number {
    return this.#process.pid;
  }

  /** Sends a signal to the process, if it runs. SIGKILL ends it at once. */
  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Waits until the process has ended. Returns its exit code, or null if a signal ended it. */
  async ended(): Promise<number | null> {
    await within(this.#process.exited, `${this.name} to end`);
    return this.#process.exitCode;
  }

  /** Waits until the process has ended, or until this time is over, in ms. */
  async endsWithin(ms: number): Promise<void> {
    await Promise.race([this.#process.exited, Bun.sleep(ms)]);
  }

  /**
   * Waits until the process has ended, starts it again and waits until it is ready.
   * @param more flags that override earlier ones
   */
  async restart(more: string[] = []): Promise<void> {
    await this.launch(more);
    await this.waitForLine(this.options.ready);
  }

  /** Waits until the process has ended and starts it again, without waiting until it is ready. */
  async launch(more: string[] = []): Promise<void> {
    await this.ended();
    this.#logBefore = this.#text().length;
    this.#process = this.#spawn([...this.options.argv, ...more]);
  }

  /** Waits for a log line since the last start whose message matches a pattern. */
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

  /** Returns the log lines since the last start. */
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
    // The developer's .env file is not read, and the program ends when the test process is killed.
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
