import { once } from "node:events";
import { isatty } from "node:tty";
import { UsageError } from "./flags.ts";
import type { Logger } from "./logger.ts";
import { exit, stderr, stdout } from "./output.ts";
import { plainLines } from "./plain-text.ts";
import { Away } from "./wait-until-there.ts";

/** A service is ended after this time, in ms, if it does not stop by itself. */
const STOP_WITHIN_MS = 9_000;

const isWindows = process.platform === "win32";
/**
 * Signals that stop a service. On Windows SIGHUP means that the console closes, which cannot be ignored: the
 * process is ended some seconds later. Of a shutdown the runtime tells nothing.
 */
const STOPPING = isWindows
  ? (["SIGINT", "SIGTERM", "SIGBREAK", "SIGHUP"] as const)
  : (["SIGINT", "SIGTERM", "SIGQUIT"] as const);
/** Signals that would end the process at once if nobody handled them. */
const OTHERS = isWindows ? [] : (["SIGHUP", "SIGUSR1", "SIGUSR2"] as const);

/** A program that runs until it is told to stop. */
export interface Service {
  logger: Logger;
  /** Takes over outside changes, such as new certificates, without an interruption. Called at SIGHUP. */
  reload?(): Promise<void>;
  /** Rejects when it cannot go on: the program ends, so that its service manager starts it anew. */
  readonly ended?: Promise<void>;
  /** Ends its work cleanly. */
  stop(): Promise<void>;
}

/** A program that is done and has printed its result. */
export interface Finished {
  exitCode: number;
}

/**
 * Runs a service as the whole process, up to its exit code: 0 after SIGINT, SIGTERM or SIGQUIT, 1 when it
 * cannot start or go on, 2 for a person's mistake, which is told in one line. The service goes on when the
 * reader of its log leaves, and ends with the terminal that it was started at.
 * @param start gives the running service, a text to show instead, or the result of another command. Waits
 *   inside it end when its signal is aborted.
 */
export async function runService(
  start: (toStop: AbortSignal) => Promise<Service | Finished | string>,
): Promise<void> {
  const { signal: toStop } = stopSignal();
  let service: Service | Finished | string;
  try {
    service = await start(toStop);
  } catch (error) {
    // The start was waiting for something when it was told to stop.
    if (toStop.aborted && error instanceof Away) return exit(0, toStop);
    stderr.write(`${plainLines(`error: ${messageOf(error)}`)}\n`);
    return exit(error instanceof UsageError ? 2 : 1, toStop);
  }
  if (typeof service === "string") return show(service, toStop);
  if ("exitCode" in service) return exit(service.exitCode, toStop);
  const { logger } = service;
  // A bug in one download must not end all the others.
  process.on("unhandledRejection", (error) => logger.error("unhandled rejection", {}, error));
  process.on("uncaughtException", (error) => logger.error("uncaught exception", {}, error));
  service.ended?.catch((error: unknown) => {
    logger.error(`cannot go on: ${messageOf(error)}`, {}, error);
    void exit(1, AbortSignal.abort());
  });
  for (const signal of OTHERS) process.on(signal, () => hear(signal, service, toStop));
  if (!toStop.aborted) await once(toStop, "abort");
  logger.info(`stopping after ${toStop.reason}`);
  setTimeout(() => {
    logger.warn("some work did not end in time, it is taken up at the next start");
    process.exit(0);
  }, STOP_WITHIN_MS);
  // A slow reader of the log is waited for until a signal to stop comes.
  const { signal: patient } = new AbortController();
  try {
    await service.stop();
  } catch (error) {
    logger.error("stopped, but not cleanly", {}, error);
    return exit(1, patient);
  }
  logger.info("stopped");
  return exit(0, patient);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Shows a text in place of a service. */
async function show(text: string, toStop: AbortSignal): Promise<never> {
  stdout.write(text);
  await stdout.drained(toStop);
  const { lost } = stdout;
  if (lost && !lost.readerLeft) stderr.write(`error: ${lost.message}\n`);
  return exit(lost?.exitCode ?? 0, toStop);
}

/** Handles a signal that does not stop the service. */
function hear(signal: string, { logger, reload }: Service, toStop: AbortSignal): void {
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
 * A controller that the first stopping signal aborts, with the signal's name as the reason. It listens from
 * the first moment on, so a signal during the start is not lost.
 */
function stopSignal(): AbortController {
  const stop = new AbortController();
  for (const signal of STOPPING) process.on(signal, () => stop.abort(signal));
  const hasTerminal = atTerminal();
  for (const signal of OTHERS) {
    process.on(signal, () => {
      if (signal === "SIGHUP" && hasTerminal && !atTerminal()) stop.abort(signal);
    });
  }
  return stop;
}

/** True if this program has a terminal now; a closed terminal does not count. */
function atTerminal(): boolean {
  return isatty(0) || isatty(1);
}
