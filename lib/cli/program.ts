import { UsageError } from "../util/flags.ts";
import { systemCode } from "../util/system-error.ts";

/** A failure at run time that a person can act on: one line, exit 1. */
export class Failure extends Error {
  override name = "Failure";
}

/** What ends a program from outside, with its number; SIGPIPE: nobody reads its output any more. */
const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGPIPE: 13, SIGTERM: 15 } as const;

/** Somebody ended the program with Ctrl-C or a signal. */
export class Interrupted extends Error {
  override name = "Interrupted";

  constructor(readonly signal: keyof typeof SIGNALS) {
    super(`ended by ${signal}`);
  }

  /** As a shell reports it. */
  get exitCode(): number {
    return 128 + SIGNALS[this.signal];
  }
}

/** @returns a signal that is aborted, with {@link Interrupted}, by the first signal from outside */
function abortedBySignals(): AbortSignal {
  const controller = new AbortController();
  const interrupt = (signal: keyof typeof SIGNALS) => controller.abort(new Interrupted(signal));
  for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => interrupt(signal));
  }
  process.stdout.on("error", () => interrupt("SIGPIPE"));
  return controller.signal;
}

/**
 * Runs a command-line program and ends the process: exit 0, 2 for a wrong flag or value, 1 for a
 * failure, 128 and more after a signal.
 * @param main gets a signal that Ctrl-C aborts; it must clean up and throw the signal's reason
 */
export async function runProgram(main: (signal: AbortSignal) => Promise<void>): Promise<never> {
  const signal = abortedBySignals();
  try {
    await main(signal);
    return process.exit(0);
  } catch (error) {
    return process.exit(report(error));
  }
}

/** Says on standard error what went wrong. @returns the exit code */
function report(error: unknown): number {
  if (error instanceof Interrupted) {
    console.error(error.message);
    return error.exitCode;
  }
  console.error(isExpected(error) ? `error: ${error.message}` : error);
  return error instanceof UsageError ? 2 : 1;
}

/** Not a bug: it is known what it means, or the operating system says so. Bugs keep their stack. */
function isExpected(error: unknown): error is Error {
  if (error instanceof Failure || error instanceof UsageError) return true;
  return systemCode(error) !== null;
}
