import { once } from "node:events";
import { UsageError } from "./flags.ts";
import type { Logger } from "./logger.ts";
import { exit, stderr, stdout } from "./output.ts";
import { plainLines } from "./plain-text.ts";

/** A service that does not end by itself in this time, in ms, once it is told to, is ended. */
const STOP_WITHIN_MS = 9_000;

/** A program that runs until it is told to stop. */
export interface Service {
  logger: Logger;
  /** Takes over what changed outside, at SIGHUP, without an interruption. */
  reload?(): Promise<void>;
  /** Rejects when it cannot go on: the program ends, so that its service manager starts it anew. */
  readonly ended?: Promise<void>;
  /** Ends its work cleanly. */
  stop(): Promise<void>;
}

/**
 * Runs a service as the whole process, up to its exit code: 0 after SIGINT or SIGTERM, 1 when it
 * cannot start or go on, 2 for a person's mistake, which is told in one line. It outlives who reads
 * its log.
 * @param start gives the running service, or a text to show instead
 */
export async function runService(start: () => Promise<Service | string>): Promise<void> {
  const { signal: toStop } = stopSignal();
  let service: Service | string;
  try {
    service = await start();
  } catch (error) {
    stderr.write(`${plainLines(`error: ${messageOf(error)}`)}\n`);
    return exit(error instanceof UsageError ? 2 : 1, toStop);
  }
  if (typeof service === "string") return show(service, toStop);
  const { logger } = service;
  // A bug in one download must not end all the others.
  process.on("unhandledRejection", (error) => logger.error("unhandled rejection", {}, error));
  process.on("uncaughtException", (error) => logger.error("uncaught exception", {}, error));
  service.ended?.catch((error: unknown) => {
    logger.error(`cannot go on: ${messageOf(error)}`, {}, error);
    void exit(1, AbortSignal.abort());
  });
  const { reload } = service;
  if (reload) {
    process.on("SIGHUP", () => {
      reload()
        .then(() => logger.info("reloaded after SIGHUP"))
        .catch((error: unknown) => logger.error(`not reloaded: ${String(error)}`));
    });
  }
  if (!toStop.aborted) await once(toStop, "abort");
  logger.info(`stopping after ${toStop.reason}`);
  setTimeout(() => {
    logger.warn("some work did not end in time, it is taken up at the next start");
    process.exit(0);
  }, STOP_WITHIN_MS);
  // A slow reader of the log has until then.
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

/**
 * Aborted by the first SIGINT or SIGTERM, with its name. From the first moment on, so that one that
 * comes while a service starts is not lost.
 */
function stopSignal(): AbortController {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stop.abort(signal));
  return stop;
}
