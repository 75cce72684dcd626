import { fullJitter } from "../util/backoff.ts";
import { LineLimit } from "../util/line-limit.ts";
import type { Logger } from "../util/logger.ts";
import { meaningOf } from "../protocol/errors.ts";
import { Connection, type ConnectionOptions, type Ending } from "./connection.ts";
import type { ConnectionChange } from "./connection-record.ts";
import type { ClientKeys } from "./key.ts";
import { watch } from "./watchdog.ts";

/**
 * The wait before the next try to connect is random. Its upper bound, in ms, grows with each failed
 * connection from FIRST_WAIT_MS to MAX_WAIT_MS.
 */
const FIRST_WAIT_MS = 1_000;
const MAX_WAIT_MS = 60_000;
/** Duration of a connection, in ms, after which the next wait is short again. */
const STABLE_MS = 60_000;

export interface ReconnectOptions extends Omit<
  ConnectionOptions,
  "enrolToken" | "onRegistered" | "tls"
> {
  /** Enrolment token, sent only if the server does not know the client's key; null if there is no token. */
  enrolToken: string | null;
  /** Whether the key was just made, so that no server knows it. The enrolment token is then sent at once. */
  isKeyNew: boolean;
  /** Returns the keys for the next connection. If this fails, the last known keys are used. */
  prepareKeys: () => Promise<ClientKeys>;
  /** Called when the server has accepted the new key. */
  takeNewKey: () => Promise<void>;
  /** Called whenever the state of the connection changes. */
  onChange?: (change: ConnectionChange) => void;
  /** Returns the TLS options for the next connection. */
  tlsToUse: () => Promise<ConnectionOptions["tls"]>;
  logger: Logger;
}

/**
 * Keeps the client connected until `stop` is aborted. Connects again whenever a connection ends or fails.
 * Sends the enrolment token when the server does not know the client's key or asks for the token.
 * @throws Error if there is no connection and no planned try for a minute; any unexpected error
 */
export function stayConnected(options: ReconnectOptions, stop: AbortSignal): Promise<void> {
  const connections = new Connections(options, stop);
  return watch(connections.run(), () => connections.isWell);
}

/** Makes connections to the server, one after the other. */
class Connections {
  #current: Connection | undefined;
  #isWaiting = false;
  /** A logger with a rate limit, because a server can send any number of requests. */
  readonly #requestLogger: Logger;
  #keys: ClientKeys;
  /**
   * The number of connections in a row that neither delivered anything ({@link Ending.hasDelivered}) nor
   * lasted STABLE_MS. Refused registrations are not counted.
   */
  #attempt = 0;
  /** Whether to send the enrolment token with the next connection. */
  #shouldEnrol: boolean;

  constructor(
    private readonly options: ReconnectOptions,
    private readonly stop: AbortSignal,
  ) {
    this.#requestLogger = new LineLimit(options.logger, "the server's requests").of("");
    this.#keys = options.keys;
    this.#shouldEnrol = options.isKeyNew;
  }

  /** Whether there is a connection, or a planned try. False means that the client is stuck. */
  get isWell(): boolean {
    return this.#isWaiting || (this.#current?.isAlive ?? false);
  }

  async run(): Promise<void> {
    const { stop } = this;
    while (!stop.aborted) {
      const ending = await this.#connect().catch(failedEnding);
      if (stop.aborted) return;
      const wait = this.#planNextTry(ending);
      if (wait === 0) continue;
      this.#isWaiting = true;
      await pause(wait, stop);
      this.#isWaiting = false;
    }
  }

  /**
   * Connects to the server, and waits for the connection's end.
   * @throws any error that prevents a try to connect, such as an error of the runtime about the TLS options
   */
  async #connect(): Promise<Ending> {
    const { options, stop } = this;
    const { logger, serverUrl, enrolToken } = options;
    this.#keys = await options.prepareKeys().catch((error: unknown) => {
      logger.error("the keys cannot be read or renewed, so the previous ones are sent", {}, error);
      return this.#keys;
    });
    const tls = await options.tlsToUse();
    if (stop.aborted) throw stop.reason;
    logger.debug(`connecting to ${serverUrl.origin}`);
    const connection = new Connection({
      ...options,
      logger: this.#requestLogger,
      tls,
      enrolToken: this.#shouldEnrol && enrolToken !== null ? enrolToken : undefined,
      keys: this.#keys,
      onRegistered: (newKeyTaken, version) => this.#onRegistered(newKeyTaken, version),
    });
    this.#current = connection;
    const close = () => connection.close();
    stop.addEventListener("abort", close);
    const ending = await connection.ended;
    stop.removeEventListener("abort", close);
    return ending;
  }

  #onRegistered(newKeyTaken: boolean, serverVersion: string): void {
    const { logger, id, serverUrl, takeNewKey, onChange } = this.options;
    onChange?.({ state: "connected", serverVersion });
    logger.announce(`registered as ${id}`, { server: serverUrl.origin });
    if (!newKeyTaken) return;
    takeNewKey()
      .then(() => logger.info("the client has a new key"))
      .catch((error: unknown) => logger.error("the new key was not put in place", {}, error));
  }

  /** Logs how a connection ended. @returns the time until the next try, in ms; 0 to enrol at once */
  #planNextTry(ending: Ending): number {
    const { logger, enrolToken, onChange } = this.options;
    const { reason, code, registered, hasDelivered, durationMs } = ending;
    const wasTokenWithheld = !this.#shouldEnrol;
    const asksToEnrol = code !== undefined && meaningOf(code).asksToEnrol === true;
    const canEnrol = asksToEnrol && enrolToken !== null;
    // The token is sent again with each try, until the server accepts the registration or refuses it for a
    // reason other than enrolment.
    this.#shouldEnrol = canEnrol || (this.#shouldEnrol && code === undefined && !registered);
    if (canEnrol && wasTokenWithheld) return 0;
    onChange?.({ state: "waiting", reason });
    const refused = wasRefused(ending);
    if (hasDelivered || durationMs >= STABLE_MS) this.#attempt = 0;
    const wait = refused
      ? MAX_WAIT_MS / 2 + fullJitter(0, MAX_WAIT_MS / 2, MAX_WAIT_MS / 2)
      : fullJitter(this.#attempt++, FIRST_WAIT_MS, MAX_WAIT_MS);
    const nextTry = `next try in ${(wait / 1000).toFixed(1)} s`;
    if (refused) logger.error(`the server refused: ${reason}; ${nextTry}`);
    else logger.warn(`not connected: ${reason}; ${nextTry}`);
    return wait;
  }
}

/** Treats an error before dialling as a failed connection, so that the client tries again. */
function failedEnding(error: unknown): Ending {
  const reason = error instanceof Error ? error.message : String(error);
  return { reason, code: undefined, registered: false, hasDelivered: false, durationMs: 0 };
}

/**
 * Reports whether the server refused the client for a reason that only people can change. The next try then
 * waits longer.
 */
function wasRefused({ code, registered }: Ending): boolean {
  const reconnect = code && meaningOf(code).reconnect;
  return reconnect === "slowly" || (reconnect === "slowly_if_refused" && !registered);
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
