import { UsageError } from "./flags.ts";
import type { Logger } from "./logger.ts";
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
 * cannot start or go on, 2 for a person's mistake, which is told in one line.
 * @param start gives the running service, or a text to show instead
 */
export async function runService(start: () => Promise<Service | string>): Promise<void> {
  const stopped = nextSignal();
  let service: Service | string;
  try {
    service = await start();
  } catch (error) {
    console.error(plainLines(`error: ${messageOf(error)}`));
    process.exit(error instanceof UsageError ? 2 : 1);
  }
  if (typeof service === "string") {
    process.stdout.write(service);
    process.exit(0);
  }
  const { logger } = service;
  // A bug in one download must not end all the others.
  process.on("unhandledRejection", (error) => logger.error("unhandled rejection", {}, error));
  process.on("uncaughtException", (error) => logger.error("uncaught exception", {}, error));
  service.ended?.catch((error: unknown) => {
    logger.error(`cannot go on: ${messageOf(error)}`, {}, error);
    process.exit(1);
  });
  const { reload } = service;
  if (reload) {
    process.on("SIGHUP", () => {
      reload()
        .then(() => logger.info("reloaded after SIGHUP"))
        .catch((error: unknown) => logger.error(`not reloaded: ${String(error)}`));
    });
  }
  const signal = await stopped;
  logger.info(`stopping after ${signal}`);
  setTimeout(() => {
    logger.warn("some work did not end in time, it is taken up at the next start");
    process.exit(0);
  }, STOP_WITHIN_MS);
  try {
    await service.stop();
  } catch (error) {
    logger.error("stopped, but not cleanly", {}, error);
    process.exit(1);
  }
  logger.info("stopped");
  process.exit(0);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** From the first moment on, so that a signal that comes while a service starts is not lost. */
function nextSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => resolve(signal));
  });
}
