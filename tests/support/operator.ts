import { join } from "node:path";
import { API_TOKEN, type System } from "./system.ts";
import { visibleRows } from "./visible-rows.ts";
import { waitFor, within } from "./wait.ts";
import { spawn } from "./spawn.ts";

const CLI = join(import.meta.dir, "../../lib/cli");

export interface RunOptions {
  /** Text for standard input, which is closed after it. */
  input?: string;
  env?: Record<string, string>;
}

export interface Outcome {
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

/** Starts a command-line program, `fds` or `guide`, with its output in pipes. */
export function startProgram(
  { folder, url }: Pick<System, "folder" | "url">,
  [program, ...flags]: string[],
  { input = "", env }: RunOptions = {},
) {
  const argv = [process.execPath, "--no-env-file", "--no-orphans", join(CLI, `${program}.ts`)];
  return spawn([...argv, ...flags], {
    cwd: folder,
    env: environment(url, env),
    stdin: Buffer.from(input),
    stdout: "pipe",
    stderr: "pipe",
  });
}

/** Runs `fds` or `guide` and waits until it exits. */
export async function runProgram(
  system: Pick<System, "folder" | "url">,
  command: string[],
  options?: RunOptions,
): Promise<Outcome> {
  const child = startProgram(system, command, options);
  const output = Promise.all([child.stdout.text(), child.stderr.text()]);
  const [stdout, stderr] = await within(output, `"${command.join(" ")}" to end`);
  await child.exited;
  return { exitCode: child.exitCode, stdout, stderr };
}

export interface ScreenOptions {
  columns?: number;
  rows?: number;
  env?: Record<string, string>;
}

/** Runs `fds` or `guide` in a pseudo-terminal. */
export class Screen implements AsyncDisposable {
  /** All output so far, including escape codes. */
  raw = "";
  /** The length of the part of {@link text} that {@link shows} has already searched. */
  #seen = 0;
  readonly #child;
  readonly #columns;
  readonly #rows;

  constructor(
    { folder, url }: Pick<System, "folder" | "url">,
    [program, ...flags]: string[],
    { columns = 80, rows = 30, env }: ScreenOptions = {},
  ) {
    this.#columns = columns;
    this.#rows = rows;
    const decoder = new TextDecoder();
    const argv = [process.execPath, "--no-env-file", "--no-orphans", join(CLI, `${program}.ts`)];
    this.#child = spawn([...argv, ...flags], {
      cwd: folder,
      env: { ...environment(url, env), TERM: "xterm-256color" },
      terminal: {
        cols: columns,
        rows,
        data: (_, bytes) => {
          this.raw += decoder.decode(bytes, { stream: true });
        },
      },
    });
  }

  /** All output so far, as plain text. */
  get text(): string {
    return Bun.stripANSI(this.raw).replaceAll("\r", "");
  }

  /** The rows that the terminal shows now. */
  get visible(): string {
    return visibleRows(this.raw, this.#columns, this.#rows).join("\n");
  }

  type(keys: string): void {
    this.#child.terminal?.write(keys);
  }

  /**
   * Presses Ctrl-C once a second until the screen shows `heard`. A repeated Ctrl-C within a second may be
   * ignored.
   */
  async pressCtrlC(heard: RegExp): Promise<string> {
    const again = setInterval(() => this.type("\x03"), 1000);
    this.type("\x03");
    try {
      return await this.shows(heard);
    } finally {
      clearInterval(again);
    }
  }

  /** Waits until new output matches a pattern, and returns the new output up to the end of the match. */
  async shows(pattern: RegExp): Promise<string> {
    return waitFor(
      () => {
        const text = this.text.slice(this.#seen);
        const match = pattern.exec(text);
        if (!match) {
          if (this.#child.exitCode !== null)
            throw new Error(`it ended without ${pattern}:\n${text}`);
          return null;
        }
        const end = match.index + match[0].length;
        this.#seen += end;
        return text.slice(0, end);
      },
      () => `the screen to show ${pattern}, it shows:\n${this.text.slice(-2000)}`,
    );
  }

  async ended(): Promise<number | null> {
    await within(this.#child.exited, "the program on the screen to end");
    return this.#child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
    this.#child.terminal?.close();
  }
}

function environment(url: string, env: Record<string, string> = {}): Record<string, string> {
  return { SERVER_URL: url, API_TOKEN, ...env };
}
