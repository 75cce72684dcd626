import { fullJitter } from "../util/backoff.ts";
import { LineLimit } from "../util/line-limit.ts";
import type { Logger } from "../util/logger.ts";
import { meaningOf } from "../protocol/errors.ts";
import { Connection, type ConnectionOptions, type Ending } from "./connection.ts";
import type { ConnectionChange } from "./connection-record.ts";
import type { ClientKeys } from "./key.ts";
import { watch } from "./watchdog.ts";

/** Bounds of the waits, in ms: full jitter from 1 to 60 s. */
const FIRST_WAIT_MS = 1_000;
const MAX_WAIT_MS = 60_000;
/** Duration of a connection, in ms, after which the waits begin anew. */
const STABLE_MS = 60_000;

export interface ReconnectOptions extends Omit<
  ConnectionOptions,
  "enrolToken" | "onRegistered" | "tls"
> {
  /** Sent only where the server does not know the key. */
  enrolToken: string | null;
  /** True where no server can know the key: the enrolment token is sent at once. */
  isKeyNew: boolean;
  /** Gives the keys to send at the next connection, instead of `keys`. */
  keysToShow: () => Promise<ClientKeys>;
  /** Called when the server took the new key. */
  takeNewKey: () => Promise<void>;
  /** Called whenever the state of the connection changes. */
  onChange?: (change: ConnectionChange) => void;
  /** Gives the TLS options of the next connection. */
  tlsToUse: () => Promise<ConnectionOptions["tls"]>;
  logger: Logger;
}

/**
 * Stays connected until it is told to stop. It dials again whenever a connection ends or fails, and enrols
 * when the server does not know the client's key, or asks for it.
 * @throws Error when nothing happens any more, or it cannot go on
 */
export function stayConnected(options: ReconnectOptions, stop: AbortSignal): Promise<void> {
  const connections = new Connections(options, stop);
  return watch(connections.run(), () => connections.isWell);
}

/** Runs one connection after the other. */
class Connections {
  #current: Connection | undefined;
  #isWaiting = false;
  /** Limited logger, as a server can cause any number of requests. */
  readonly #requestLogger: Logger;
  #keys: ClientKeys;
  /** Failed connections in a row. */
  #attempt = 0;
  /** True: send the enrolment token at the next connection. */
  #enrol: boolean;

  constructor(
    private readonly options: ReconnectOptions,
    private readonly stop: AbortSignal,
  ) {
    this.#requestLogger = new LineLimit(options.logger, "the server's requests").of("");
    this.#keys = options.keys;
    this.#enrol = options.isKeyNew;
  }

  /** False once there is neither a connection nor a planned try. */
  get isWell(): boolean {
    return this.#isWaiting || (this.#current?.isAlive ?? false);
  }

  async run(): Promise<void> {
    const { stop } = this;
    while (!stop.aborted) {
      const ending = await this.#connect().catch(cannotBegin);
      if (stop.aborted) return;
      const wait = this.#waitAfter(ending);
      if (wait === 0) continue;
      this.#isWaiting = true;
      await pause(wait, stop);
      this.#isWaiting = false;
    }
  }

  /** @throws whatever keeps a connection from beginning */
  async #connect(): Promise<Ending> {
    const { options, stop } = this;
    const { logger, serverUrl, enrolToken } = options;
    this.#keys = await options.keysToShow().catch((error: unknown) => {
      logger.error("the keys cannot be read or renewed, shown are those of before", {}, error);
      return this.#keys;
    });
    const tls = await options.tlsToUse();
    if (stop.aborted) throw stop.reason;
    logger.debug(`connecting to ${serverUrl.origin}`);
    const connection = new Connection({
      ...options,
      logger: this.#requestLogger,
      tls,
      enrolToken: this.#enrol && enrolToken !== null ? enrolToken : undefined,
      keys: this.#keys,
      onRegistered: (newKeyTaken, version) => this.#registered(newKeyTaken, version),
    });
    this.#current = connection;
    const close = () => connection.close();
    stop.addEventListener("abort", close);
    const ending = await connection.ended;
    stop.removeEventListener("abort", close);
    return ending;
  }

  #registered(newKeyTaken: boolean, serverVersion: string): void {
    const { logger, id, serverUrl, takeNewKey, onChange } = this.options;
    onChange?.({ state: "connected", serverVersion });
    logger.announce(`registered as ${id}`, { server: serverUrl.origin });
    if (!newKeyTaken) return;
    takeNewKey()
      .then(() => logger.info("the client has a new key"))
      .catch((error: unknown) => logger.error("the new key was not put in place", {}, error));
  }

  /** Reports how a connection ended. @returns how long to wait before the next try, in ms */
  #waitAfter(ending: Ending): number {
    const { logger, enrolToken, onChange } = this.options;
    const { reason, code, registered, worked, lasted } = ending;
    const known = !this.#enrol;
    const asksToEnrol = code !== undefined && meaningOf(code).asksToEnrol === true;
    const isAsked = asksToEnrol && enrolToken !== null;
    // A request to enrol holds until the server answers something else.
    this.#enrol = isAsked || (this.#enrol && code === undefined && !registered);
    if (isAsked && known) return 0;
    onChange?.({ state: "waiting", reason });
    const refused = wasRefused(ending);
    if (worked || lasted >= STABLE_MS) this.#attempt = 0;
    const wait = refused
      ? MAX_WAIT_MS / 2 + fullJitter(0, MAX_WAIT_MS / 2, MAX_WAIT_MS / 2)
      : fullJitter(this.#attempt++, FIRST_WAIT_MS, MAX_WAIT_MS);
    const again = `next try in ${(wait / 1000).toFixed(1)} s`;
    if (refused) logger.error(`the server refused: ${reason}; ${again}`);
    else logger.warn(`not connected: ${reason}; ${again}`);
    return wait;
  }
}

/** An error before a connection counts as a failed connection, which is tried again. */
function cannotBegin(error: unknown): Ending {
  const reason = error instanceof Error ? error.message : String(error);
  return { reason, code: undefined, registered: false, worked: false, lasted: 0 };
}

/** Whether the server refused, and will again until somebody changes something. The next try can wait. */
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
