import { UsageError } from "../util/flags.ts";
import { exit, OutputLost, stderr, stdout } from "../util/output.ts";
import { plainLines } from "../util/plain-text.ts";
import { systemCode } from "../util/system-error.ts";

/** A failure at run time that the user can correct. Only its message is printed, and the exit code is 1. */
export class Failure extends Error {
  override name = "Failure";
}

/** Signals that end a program, with their numbers in POSIX. */
const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

/** Thrown when the user ends the program by Ctrl-C or a signal. */
export class Interrupted extends Error {
  override name = "Interrupted";

  constructor(readonly signal: keyof typeof SIGNALS) {
    super(`ended by ${signal}`);
  }

  /** The exit code that shells report for a process ended by this signal. */
  get exitCode(): number {
    return 128 + SIGNALS[this.signal];
  }
}

/**
 * Time, in ms, in which a second SIGINT counts as the same Ctrl-C. The terminal sends one to this process,
 * and `bun run` forwards another.
 */
const ECHO_TIME = 100;

/**
 * Time limit for cleaning up after a signal, in ms. In this time, the demo has to end the programs that it
 * started.
 */
const END_WITHIN_MS = 12_000;

/** Handles Ctrl-C and the signals that end the program. */
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

  /**
   * Aborted with {@link Interrupted} by a signal that ends the program, or with OutputLost when standard
   * output cannot be written any more.
   */
  get signal(): AbortSignal {
    return this.end.signal;
  }

  /** Makes Ctrl-C call `handler` in place of ending the program, until the returned object is disposed. */
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
 * Runs a command-line program, and ends the process once its output was written. The exit code is the number
 * that `main` returns, or 0 if it returns none. If `main` throws, the exit code is 2 for a wrong flag or
 * value, and 1 for another failure. It is 128 or more after a signal, or if the program that reads the output
 * has ended.
 * @param main the program. Its first argument is {@link Interruptions.signal}. When this signal is aborted,
 *   `main` must clean up and throw the signal's reason
 * @param endWithin time limit for cleaning up after the abort, in ms
 */
export async function runProgram(
  main: (signal: AbortSignal, interruptions: Interruptions) => Promise<number | void>,
  endWithin = END_WITHIN_MS,
): Promise<never> {
  const interruptions = new Interruptions();
  const { signal } = interruptions;
  let exitCode: number;
  try {
    const mainResult = main(signal, interruptions);
    exitCode = (await Promise.race([mainResult, rejectAfterAbort(signal, endWithin)])) ?? 0;
    if (!(await stdout.drained(signal))) exitCode = report(signal.reason);
  } catch (error) {
    // An operation that starts after the abort fails with an AbortError. The real cause is the signal's
    // reason.
    const isAborted = signal.aborted && error instanceof Error && error.name === "AbortError";
    exitCode = report(isAborted ? signal.reason : error);
  }
  return exit(exitCode, signal);
}

/** Rejects with the reason of `signal`, `ms` milliseconds after the abort. */
function rejectAfterAbort(signal: AbortSignal, ms: number): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => {
      setTimeout(() => reject(signal.reason), ms).unref();
    });
  });
}

/** Prints an error on standard error. @returns the exit code */
function report(error: unknown): number {
  if (error instanceof OutputLost && error.readerLeft) return error.exitCode;
  const text = error instanceof Interrupted ? error.message : describe(error);
  stderr.write(`${plainLines(text)}\n`);
  if (error instanceof Interrupted) return error.exitCode;
  return error instanceof UsageError ? 2 : 1;
}

/**
 * Returns the text to print for an error. Only the message is printed for an expected error or a system
 * error. Any other error is a bug, and is printed with its stack trace.
 */
function describe(error: unknown): string {
  const isKnownKind = [Failure, UsageError, OutputLost].some((kind) => error instanceof kind);
  const isExpected = isKnownKind || systemCode(error) !== null;
  return isExpected && error instanceof Error ? `error: ${error.message}` : Bun.inspect(error);
}
