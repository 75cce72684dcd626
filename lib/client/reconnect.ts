import { fullJitter } from "../util/backoff.ts";
import { LineLimit } from "../util/line-limit.ts";
import type { Logger } from "../util/logger.ts";
import { meaningOf } from "../protocol/errors.ts";
import { Connection, type ConnectionOptions, type Ending } from "./connection.ts";
import type { ConnectionChange } from "./connection-record.ts";
import type { ClientKeys } from "./key.ts";
import { watch } from "./watchdog.ts";

/** Full jitter from 1 to 60 s, in ms. */
const FIRST_WAIT_MS = 1_000;
const MAX_WAIT_MS = 60_000;
/** After a connection that lasted this long, in ms, the waits begin anew. */
const STABLE_MS = 60_000;

export interface ReconnectOptions extends Omit<
  ConnectionOptions,
  "enrolToken" | "onRegistered" | "tls"
> {
  /** Shown only where the server does not know the key. */
  enrolToken: string | null;
  /** No server can know the key: it is shown with what the client enrols with at once. */
  isKeyNew: boolean;
  /** What to show at the next connection, in place of `keys`. */
  keysToShow: () => Promise<ClientKeys>;
  /** The server took the new one of them. */
  takeNewKey: () => Promise<void>;
  /** Told how the client stands with its server, whenever that changes. */
  onChange?: (change: ConnectionChange) => void;
  /** How to speak TLS at the next connection. */
  tlsToUse: () => Promise<ConnectionOptions["tls"]>;
  logger: Logger;
}

/**
 * Stays connected until it is told to stop: dials again whenever a connection ends or cannot begin,
 * and enrols when the server does not know the client's key, or wants another.
 * @throws Error when it stands still, or cannot go on
 */
export function stayConnected(options: ReconnectOptions, stop: AbortSignal): Promise<void> {
  const connections = new Connections(options, stop);
  return watch(connections.run(), () => connections.isWell);
}

/** One connection after the other. */
class Connections {
  #current: Connection | undefined;
  #isWaiting = false;
  /** A server asks as often as it likes. */
  readonly #requestLogger: Logger;
  #keys: ClientKeys;
  /** Connections in a row that came to nothing. */
  #attempt = 0;
  /** The server wants to see what the client enrols with. */
  #enrol: boolean;

  constructor(
    private readonly options: ReconnectOptions,
    private readonly stop: AbortSignal,
  ) {
    this.#requestLogger = new LineLimit(options.logger, "the server's requests").of("");
    this.#keys = options.keys;
    this.#enrol = options.isKeyNew;
  }

  /** True while there is a connection, or a wait for the next try. */
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

  /** Tells how it ended. @returns how long to wait for the next try, in ms */
  #waitAfter(ending: Ending): number {
    const { logger, enrolToken, onChange } = this.options;
    const { reason, code, registered, worked, lasted } = ending;
    const known = !this.#enrol;
    const asksToEnrol = code !== undefined && meaningOf(code).asksToEnrol === true;
    const isAsked = asksToEnrol && enrolToken !== null;
    // What the server asked for once counts until it is reached again and says something else.
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

/** An error before there is a connection counts as a failed connection, which is tried again. */
function cannotBegin(error: unknown): Ending {
  const reason = error instanceof Error ? error.message : String(error);
  return { reason, code: undefined, registered: false, worked: false, lasted: 0 };
}

/** The server will say it again until somebody changes something: no hurry to hear it. */
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
