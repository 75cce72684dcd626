import type { Logger } from "../../util/logger.ts";
import { SerialQueue } from "../../util/serial-queue.ts";
import { systemCode } from "../../util/system-error.ts";

/** Interval in ms at which the certificate files are read again after they could not be used. */
const RETRY_MS = 2_000;

/** A listening server, as Bun.serve returns it. */
type Listening = Pick<Bun.Server<unknown>, "port" | "stop">;

export interface ListenerOptions {
  host: string;
  /** TCP port to listen on; 0: any free port. */
  port: number;
  serve: (port: number, tls: Bun.TLSOptions | undefined) => Listening;
  /** Reads the current certificate; null: the server uses plain HTTP. */
  readTls: (() => Promise<Bun.TLSOptions>) | null;
  logger: Logger;
}

/** Listens for connections, with a certificate that can be replaced without closing connections. */
export class Listener {
  /** The current listening server, and earlier ones that still have connections. */
  readonly #servers = new Set<Listening>();
  readonly #reloads = new SerialQueue();
  #retry: Timer | undefined;
  #isClosed = false;

  private constructor(
    private readonly options: ListenerOptions,
    private tls: Bun.TLSOptions | undefined,
    private current: Listening,
    readonly port: number,
  ) {
    this.#servers.add(current);
  }

  /**
   * Starts to listen.
   * @throws UsageError if the certificate cannot be used
   * @throws Error if the program cannot listen on the host and port; the message gives advice
   */
  static async start(options: ListenerOptions): Promise<Listener> {
    const tls = await options.readTls?.();
    const current = listen(options, options.port, tls);
    return new Listener(options, tls, current, current.port ?? options.port);
  }

  /**
   * Reads the certificate again, for new connections. If it cannot be used, the previous one stays in use,
   * and the files are read again from time to time.
   * @throws Error that says why the new certificate is not used
   */
  async reload(): Promise<void> {
    clearTimeout(this.#retry);
    try {
      await this.#renew();
    } catch (cause) {
      this.#tryAgain(cause);
      throw new Error(
        `${messageOf(cause)}; the one before goes on, and the files are read every ${RETRY_MS / 1000} s`,
        { cause },
      );
    }
  }

  /** Stops accepting new connections. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    void this.current.stop();
  }

  /** Closes all connections. */
  async end(): Promise<void> {
    await Promise.all([...this.#servers].map((server) => server.stop(true)));
  }

  #renew(): Promise<void> {
    return this.#reloads.run(async () => {
      const tls = await this.options.readTls?.();
      if (!this.#isClosed) this.#replace(tls);
    });
  }

  /**
   * Replaces the listening server by one with another certificate.
   * @throws Error if this fails; the previous certificate stays in use
   */
  #replace(tls: Bun.TLSOptions | undefined): void {
    const before = this.current;
    // The previous server ends once its last connection is closed.
    void before.stop().then(() => this.#servers.delete(before));
    try {
      this.current = listen(this.options, this.port, tls);
      this.tls = tls;
    } catch (error) {
      this.current = listen(this.options, this.port, this.tls);
      throw error;
    } finally {
      this.#servers.add(this.current);
    }
  }

  /**
   * Reads the certificate again after a delay.
   * @param reported the error of the previous try, which was already reported
   */
  #tryAgain(reported: unknown): void {
    if (this.#isClosed) return;
    const { logger } = this.options;
    this.#retry = setTimeout(async () => {
      try {
        await this.#renew();
        logger.info("reloaded, at another try");
      } catch (error) {
        if (messageOf(error) !== messageOf(reported))
          logger.error(`not reloaded: ${messageOf(error)}`);
        this.#tryAgain(error);
      }
    }, RETRY_MS);
  }
}

function listen(
  { host, serve }: ListenerOptions,
  port: number,
  tls: Bun.TLSOptions | undefined,
): Listening {
  try {
    return serve(port, tls);
  } catch (cause) {
    const advice = adviceFor(systemCode(cause), host, port);
    throw advice === null ? cause : new Error(advice, { cause });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function adviceFor(code: string | null, host: string, port: number): string | null {
  switch (code) {
    case "EADDRINUSE":
      return `port ${port} is in use: stop the program that has it, or pass another --port`;
    case "EADDRNOTAVAIL":
      return `pass another --host: "${host}" is no address of this machine`;
    case "EACCES":
      return `pass a --port from 1024 on: this user may not listen on ${port}`;
    default:
      return null;
  }
}
