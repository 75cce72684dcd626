import { fullJitter } from "../util/backoff.ts";
import type { Logger } from "../util/logger.ts";
import { Connection, type ConnectionOptions, type Ending } from "./connection.ts";

/** Full jitter from 1 to 60 s, in ms. */
const FIRST_WAIT_MS = 1_000;
const MAX_WAIT_MS = 60_000;
/** After a connection that lasted this long, in ms, the waits begin anew. */
const STABLE_MS = 60_000;

export interface ReconnectOptions extends Omit<ConnectionOptions, "enrollToken" | "onRegistered"> {
  /** Shown only when the server does not know the key. */
  enrollToken: string | null;
  logger: Logger;
}

/**
 * Stays connected until it is told to stop: dials again whenever a connection ends, and enrols
 * when the server does not know the client's key.
 */
export async function stayConnected(options: ReconnectOptions, stop: AbortSignal): Promise<void> {
  const { logger, serverUrl, id } = options;
  let attempt = 0;
  let enrol = false;
  while (!stop.aborted) {
    logger.debug(`connecting to ${serverUrl.origin}`);
    const connection = new Connection({
      ...options,
      enrollToken: enrol && options.enrollToken !== null ? options.enrollToken : undefined,
      onRegistered: () => logger.announce(`registered as ${id}`, { server: serverUrl.origin }),
    });
    const close = () => connection.close();
    stop.addEventListener("abort", close);
    const ending = await connection.ended;
    const { reason, code, worked, lasted } = ending;
    stop.removeEventListener("abort", close);
    if (stop.aborted) return;
    const known = !enrol;
    enrol = code === "enrolment_required" && options.enrollToken !== null;
    if (enrol && known) continue;
    const refused = wasRefused(ending);
    if (worked || lasted >= STABLE_MS) attempt = 0;
    const wait = refused
      ? MAX_WAIT_MS / 2 + fullJitter(0, MAX_WAIT_MS / 2, MAX_WAIT_MS / 2)
      : fullJitter(attempt++, FIRST_WAIT_MS, MAX_WAIT_MS);
    const again = `next try in ${(wait / 1000).toFixed(1)} s`;
    if (refused) logger.error(`the server refused: ${reason}; ${again}`);
    else logger.warn(`not connected: ${reason}; ${again}`);
    await pause(wait, stop);
  }
}

/** The server will say it again until somebody changes something: no hurry to hear it. */
function wasRefused({ code, registered }: Ending): boolean {
  switch (code) {
    case "replaced":
    case "unsupported_version":
      return true;
    case "enrolment_required":
    case "key_mismatch":
    case "id_in_use":
    case "protocol_error":
      return !registered;
    default:
      return false;
  }
}

function pause(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      stop.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    stop.addEventListener("abort", end);
  });
}
