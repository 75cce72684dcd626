import { constants } from "node:os";
import { UsageError } from "../util/flags.ts";
import { systemCode } from "../util/system-error.ts";

/** A failure at run time that a person can act on: one line, exit 1. */
export class Failure extends Error {
  override name = "Failure";
}

/** Somebody ended the program with Ctrl-C or a signal. */
export class Interrupted extends Error {
  override name = "Interrupted";

  constructor(readonly signal: "SIGINT" | "SIGTERM" | "SIGHUP") {
    super(`ended by ${signal}`);
  }

  /** As a shell reports it. */
  get exitCode(): number {
    return 128 + constants.signals[this.signal];
  }
}

/** @returns a signal that is aborted by the first of SIGINT, SIGTERM and SIGHUP, with {@link Interrupted} */
function abortedBySignals(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => controller.abort(new Interrupted(signal)));
  }
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
