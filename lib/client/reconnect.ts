import { fullJitter } from "../util/backoff.ts";
import type { Logger } from "../util/logger.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import { Connection, type ConnectionOptions, type Ending } from "./connection.ts";
import type { ClientKeys } from "./key.ts";

/** Full jitter from 1 to 60 s, in ms. */
const FIRST_WAIT_MS = 1_000;
const MAX_WAIT_MS = 60_000;
/** After a connection that lasted this long, in ms, the waits begin anew. */
const STABLE_MS = 60_000;

/** What a server says that lets a client in only with what it enrols with. */
const ASKS_TO_ENROL: ReadonlySet<ErrorCode | undefined> = new Set([
  "enrolment_required",
  "key_mismatch",
  "client_revoked",
]);

export interface ReconnectOptions extends Omit<ConnectionOptions, "enrollToken" | "onRegistered"> {
  /** Shown only when the server does not know the key. */
  enrollToken: string | null;
  /** What to show at the next connection, in place of `keys`. */
  keysToShow: () => Promise<ClientKeys>;
  /** The server took the new one of them. */
  takeNewKey: () => Promise<void>;
  logger: Logger;
}

/**
 * Stays connected until it is told to stop: dials again whenever a connection ends, and enrols
 * when the server does not know the client's key, or wants another.
 */
export async function stayConnected(options: ReconnectOptions, stop: AbortSignal): Promise<void> {
  const { logger, serverUrl, id } = options;
  const onRegistered = (newKeyTaken: boolean) => {
    logger.announce(`registered as ${id}`, { server: serverUrl.origin });
    if (!newKeyTaken) return;
    options
      .takeNewKey()
      .then(() => logger.info("the client has a new key"))
      .catch((error: unknown) => logger.error("the new key was not put in place", {}, error));
  };
  let { keys } = options;
  let attempt = 0;
  let enrol = false;
  while (!stop.aborted) {
    keys = await options.keysToShow().catch((error: unknown) => {
      logger.error("the keys cannot be read or renewed, shown are those of before", {}, error);
      return keys;
    });
    logger.debug(`connecting to ${serverUrl.origin}`);
    const connection = new Connection({
      ...options,
      enrollToken: enrol && options.enrollToken !== null ? options.enrollToken : undefined,
      keys,
      onRegistered,
    });
    const close = () => connection.close();
    stop.addEventListener("abort", close);
    const ending = await connection.ended;
    const { reason, code, registered, worked, lasted } = ending;
    stop.removeEventListener("abort", close);
    if (stop.aborted) return;
    const known = !enrol;
    const isAsked = ASKS_TO_ENROL.has(code) && options.enrollToken !== null;
    // A server that was not reached, or had no time, still wants what it asked for.
    enrol = isAsked || (enrol && code === undefined && !registered);
    if (isAsked && known) continue;
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
    case "client_revoked":
      return true;
    case "enrolment_required":
    case "key_mismatch":
    case "id_in_use":
    case "message_too_large":
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
