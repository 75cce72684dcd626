import { once } from "node:events";
import { isatty } from "node:tty";
import { UsageError } from "./flags.ts";
import type { Logger } from "./logger.ts";
import { exit, stderr, stdout } from "./output.ts";
import { plainLines } from "./plain-text.ts";
import { Away } from "./wait-until-there.ts";

/** Longest time for a clean stop, in ms. After it, the process exits anyway. */
const STOP_WITHIN_MS = 9_000;

const isWindows = process.platform === "win32";
/**
 * Signals that stop a service. On Windows, SIGHUP means that the console closes, and Windows ends the process
 * some seconds later whatever the process does. The runtime reports no signal when Windows shuts down.
 */
const STOP_SIGNALS = isWindows
  ? (["SIGINT", "SIGTERM", "SIGBREAK", "SIGHUP"] as const)
  : (["SIGINT", "SIGTERM", "SIGQUIT"] as const);
/**
 * Signals that do not stop a service, except SIGHUP after the service's terminal was closed. Without
 * handlers, each would end the process.
 */
const OTHER_SIGNALS = isWindows ? [] : (["SIGHUP", "SIGUSR1", "SIGUSR2"] as const);

/** A running program, such as the server, that goes on until a signal stops it. */
export interface Service {
  logger: Logger;
  /** Loads changed files, such as renewed certificates, while the service goes on. Called at SIGHUP. */
  reload?(): Promise<void>;
  /** Rejects if the service cannot go on. Then the process exits, so that its service manager restarts it. */
  readonly ended?: Promise<void>;
  /** Stops the service cleanly. */
  stop(): Promise<void>;
}

/** The result of a command that has ended and printed its output already. */
export interface Finished {
  exitCode: number;
}

/**
 * Runs a service as the whole process, and exits with 0 after a signal to stop, 1 if the service cannot
 * start, go on or stop cleanly, and 2 for a mistake in the command line or the settings. The service goes on
 * if the reader of its log ends, and stops when its terminal is closed.
 * @param start starts the service. It may instead return a text to print, such as the help, or the result of
 *   another command. `toStop` is aborted when the process is told to stop. `start` must then end all of its
 *   waits.
 */
export async function runService(
  start: (toStop: AbortSignal) => Promise<Service | Finished | string>,
): Promise<void> {
  const { signal: toStop } = stopSignal();
  let service: Service | Finished | string;
  try {
    service = await start(toStop);
  } catch (error) {
    // A signal to stop came while the start waited for something, such as the database. That is no error.
    if (toStop.aborted && error instanceof Away) return exit(0, toStop);
    stderr.write(`${plainLines(`error: ${messageOf(error)}`)}\n`);
    return exit(error instanceof UsageError ? 2 : 1, toStop);
  }
  if (typeof service === "string") return printAndExit(service, toStop);
  if ("exitCode" in service) return exit(service.exitCode, toStop);
  const { logger } = service;
  // The process goes on after an uncaught error, as a bug in one download must not end all others.
  process.on("unhandledRejection", (error) => logger.error("unhandled rejection", {}, error));
  process.on("uncaughtException", (error) => logger.error("uncaught exception", {}, error));
  service.ended?.catch((error: unknown) => {
    logger.error(`cannot go on: ${messageOf(error)}`, {}, error);
    void exit(1, AbortSignal.abort());
  });
  for (const signal of OTHER_SIGNALS)
    process.on(signal, () => handleOtherSignal(signal, service, toStop));
  if (!toStop.aborted) await once(toStop, "abort");
  logger.info(`stopping after ${toStop.reason}`);
  setTimeout(() => {
    logger.warn("some work did not end in time, it is taken up at the next start");
    process.exit(0);
  }, STOP_WITHIN_MS);
  // This signal is never aborted, so the exit waits for a slow reader of the log until STOP_WITHIN_MS has
  // passed.
  const { signal: neverAborted } = new AbortController();
  try {
    await service.stop();
  } catch (error) {
    logger.error("stopped, but not cleanly", {}, error);
    return exit(1, neverAborted);
  }
  logger.info("stopped");
  return exit(0, neverAborted);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Prints a text, such as the help, and exits. */
async function printAndExit(text: string, toStop: AbortSignal): Promise<never> {
  stdout.write(text);
  await stdout.drained(toStop);
  const { lost } = stdout;
  if (lost && !lost.readerLeft) stderr.write(`error: ${lost.message}\n`);
  return exit(lost?.exitCode ?? 0, toStop);
}

/** Handles a signal that does not stop the service: SIGHUP reloads its files, others are only logged. */
function handleOtherSignal(signal: string, { logger, reload }: Service, toStop: AbortSignal): void {
  if (toStop.aborted) return;
  if (signal !== "SIGHUP" || !reload) {
    logger.info(`${signal} changes nothing here, the program goes on`);
    return;
  }
  reload()
    .then(() => logger.info("reloaded after SIGHUP"))
    .catch((error: unknown) => logger.error(`not reloaded: ${String(error)}`));
}

/**
 * Returns a controller that is aborted by the first signal to stop, with the signal's name as the reason.
 * Signals are handled from this call on, so one that comes during the start is not lost.
 */
function stopSignal(): AbortController {
  const stop = new AbortController();
  for (const signal of STOP_SIGNALS) process.on(signal, () => stop.abort(signal));
  const hadTerminal = isAtTerminal();
  for (const signal of OTHER_SIGNALS) {
    process.on(signal, () => {
      if (signal === "SIGHUP" && hadTerminal && !isAtTerminal()) stop.abort(signal);
    });
  }
  return stop;
}

/** Reports whether this process has an open terminal. */
function isAtTerminal(): boolean {
  return isatty(0) || isatty(1);
}
