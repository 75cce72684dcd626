import { UsageError } from "../util/flags.ts";
import { exit, OutputLost, stderr, stdout } from "../util/output.ts";
import { plainLines } from "../util/plain-text.ts";
import { systemCode } from "../util/system-error.ts";

/** A failure at run time that a person can do something about: one line, exit 1. */
export class Failure extends Error {
  override name = "Failure";
}

/** Signals that end a program, with their numbers. */
const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

/** Somebody ended the program with Ctrl-C or a signal. */
export class Interrupted extends Error {
  override name = "Interrupted";

  constructor(readonly signal: keyof typeof SIGNALS) {
    super(`ended by ${signal}`);
  }

  /** The exit code that shells use for it. */
  get exitCode(): number {
    return 128 + SIGNALS[this.signal];
  }
}

/**
 * Time, in ms, in which a second Ctrl-C counts as the same one: the terminal sends it here, and `bun run`
 * passes it on.
 */
const ECHO_TIME = 100;

/** Time for cleaning up after a signal, in ms: the demo has to end its programs. */
const END_WITHIN_MS = 12_000;

/** Ctrl-C, and the signals that end the program. */
export class Interruptions {
  private readonly end = new AbortController();
  private ctrlC: (() => void) | null = null;
  private lastCtrlC = -Infinity;

  constructor() {
    for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const) {
      process.on(signal, () => this.interrupt(signal));
    }
    stdout.onLost = (lost) => this.end.abort(lost);
  }

  /** Aborted by the first signal, with {@link Interrupted}, or when nobody reads the output any more. */
  get signal(): AbortSignal {
    return this.end.signal;
  }

  /** Until it is disposed, Ctrl-C calls `handler` and does not end the program. */
  takeOverCtrlC(handler: () => void): Disposable {
    this.ctrlC = handler;
    return { [Symbol.dispose]: () => void (this.ctrlC = null) };
  }

  private interrupt(signal: keyof typeof SIGNALS): void {
    if (signal === "SIGINT") {
      const sinceLast = performance.now() - this.lastCtrlC;
      this.lastCtrlC = performance.now();
      if (sinceLast < ECHO_TIME) return;
      if (this.ctrlC) return this.ctrlC();
    }
    this.end.abort(new Interrupted(signal));
  }
}

/**
 * Runs a command-line program and ends the process once its output was taken: exit 0, 2 for a wrong flag or
 * value, 1 for a failure, 128 and more after a signal or if its reader left.
 * @param main gets a signal that Ctrl-C aborts; it must clean up and throw the signal's reason. If it
 *   returns an exit code, nothing else is printed
 * @param endWithin time for cleaning up, in ms, as what it waits for may never come
 */
export async function runProgram(
  main: (signal: AbortSignal, interruptions: Interruptions) => Promise<number | void>,
  endWithin = END_WITHIN_MS,
): Promise<never> {
  const interruptions = new Interruptions();
  const { signal } = interruptions;
  let exitCode: number;
  try {
    const ended = main(signal, interruptions);
    exitCode = (await Promise.race([ended, overdue(signal, endWithin)])) ?? 0;
    if (!(await stdout.drained(signal))) exitCode = report(signal.reason);
  } catch (error) {
    // Something that was started after the signal, such as a process, fails with its own error.
    const isAborted = signal.aborted && error instanceof Error && error.name === "AbortError";
    exitCode = report(isAborted ? signal.reason : error);
  }
  return exit(exitCode, signal);
}

/** Rejects with the reason of a signal, some time after it was aborted. */
function overdue(signal: AbortSignal, ms: number): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => {
      setTimeout(() => reject(signal.reason), ms).unref();
    });
  });
}

/** Prints what went wrong on standard error. @returns the exit code */
function report(error: unknown): number {
  if (error instanceof OutputLost && error.readerLeft) return error.exitCode;
  const text = error instanceof Interrupted ? error.message : describe(error);
  stderr.write(`${plainLines(text)}\n`);
  if (error instanceof Interrupted) return error.exitCode;
  return error instanceof UsageError ? 2 : 1;
}

/** The message for an error: one line for known errors and those of the system. Bugs keep their stack. */
function describe(error: unknown): string {
  const known = [Failure, UsageError, OutputLost].some((kind) => error instanceof kind);
  const isExpected = known || systemCode(error) !== null;
  return isExpected && error instanceof Error ? `error: ${error.message}` : Bun.inspect(error);
}
