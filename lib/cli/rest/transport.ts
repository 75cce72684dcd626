import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { PeerCertificate } from "node:tls";
import type * as z from "zod";
import type { AnswerOf, Endpoint } from "../../api/endpoints/endpoint.ts";
import { addressOf, type AnyRequest, type RequestOf } from "../../api/endpoints/request.ts";
import { howToRun } from "../../util/build.ts";
import { leadsHere } from "../../util/loopback.ts";
import { plainText } from "../../util/plain-text.ts";
import { Failure } from "../program.ts";
import { readJson, refusalOf, unexpectedAnswer } from "./answers.ts";
import { UnreachableError } from "./api-errors.ts";

/** Time limit of a call with a JSON response, and of each wait for bytes of a streamed response, in ms. */
const CALL_TIMEOUT = 30_000;

/** The address of a server, with the token and the certificates for calls. */
export interface ServerConnection {
  /** The server's URL, such as `http://127.0.0.1:8080`. */
  server: string;
  /** The token sent with each call. Undefined for a server without tokens. */
  token?: string;
  /**
   * Paths of PEM files: the CA of the server's certificate, and the caller's own certificate and key for a
   * server that requires client certificates.
   */
  tls?: {
    ca?: string;
    cert?: string;
    key?: string;
    /**
     * Path of the certificate of a server on this machine. Only this certificate is trusted, for any host
     * name.
     */
    pinned?: string;
  };
}

/** Options of a call, besides the endpoint's own parameters. */
export interface CallOptions {
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/**
 * Sends calls to one server. Each method throws ApiCallError or UnreachableError, or the reason of the call's
 * `signal` when the signal is aborted.
 */
export class Transport {
  constructor(private readonly connection: ServerConnection) {}

  /** The server's address, as the user gave it. */
  get server(): string {
    return this.connection.server;
  }

  /** The server's address without a trailing slash. */
  get baseUrl(): string {
    return this.server.replace(/\/+$/, "");
  }

  /** Sends a request, and returns the validated JSON of the response. */
  call<E extends Endpoint>(
    endpoint: E,
    request: RequestOf<E>,
    options: CallOptions,
  ): Promise<AnswerOf<E>>;
  async call(endpoint: Endpoint, request: AnyRequest, options: CallOptions): Promise<unknown> {
    try {
      const timeout = AbortSignal.timeout(CALL_TIMEOUT);
      const response = await this.#send(endpoint, request, options, timeout);
      if (!response.ok) throw await refusalOf(this.server, response);
      return await readJson(this.server, response, schemaOf(endpoint));
    } catch (error) {
      throw this.problemOf(error, options.signal);
    }
  }

  /**
   * Yields the body of a response in pieces, with no limit on the total time.
   * @param options `isWanted` checks whether the response has the expected status and headers
   * @throws UnreachableError where the server does not answer, the body is cut off, or no byte arrives within
   *   CALL_TIMEOUT
   */
  pieces<E extends Endpoint>(
    endpoint: E,
    request: RequestOf<E>,
    options: CallOptions & { isWanted: (response: Response) => boolean },
  ): AsyncGenerator<Uint8Array>;
  async *pieces(
    endpoint: Endpoint,
    request: AnyRequest,
    options: CallOptions & { isWanted: (response: Response) => boolean },
  ): AsyncGenerator<Uint8Array> {
    const stalled = new AbortController();
    const timer = setTimeout(
      () => stalled.abort(new DOMException("", "TimeoutError")),
      CALL_TIMEOUT,
    );
    try {
      const response = await this.#send(endpoint, request, options, stalled.signal);
      if (!response.ok) throw await refusalOf(this.server, response);
      if (!options.isWanted(response) || !response.body) {
        throw unexpectedAnswer(this.server, response.status);
      }
      for await (const piece of response.body) {
        timer.refresh();
        yield piece;
      }
    } catch (error) {
      throw this.problemOf(error, options.signal);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Returns the cause of a failed call: the reason of an aborted signal, the server's error, or
   * UnreachableError.
   */
  problemOf(error: unknown, signal?: AbortSignal): unknown {
    if (signal?.aborted) return signal.reason;
    if (error instanceof Failure) return error;
    return new UnreachableError(whyUnreachable(this.server, error), { cause: error });
  }

  #send(
    { path, method }: Endpoint,
    request: AnyRequest,
    { headers, signal }: CallOptions,
    timeout: AbortSignal,
  ): Promise<Response> {
    const { token, tls } = this.connection;
    const { body } = request;
    const url = new URL(this.baseUrl + addressOf(path, request));
    return fetch(url, {
      method,
      headers: {
        ...headers,
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      tls: {
        ...(tls?.ca && { ca: Bun.file(tls.ca) }),
        ...(tls?.pinned && trustOnly(tls.pinned)),
        ...(tls?.cert && { cert: Bun.file(tls.cert) }),
        ...(tls?.key && { key: Bun.file(tls.key) }),
      },
      // An HTTP proxy could not reach the loopback address of this machine, and would see the token.
      ...(leadsHere(url.hostname) && { proxy: false }),
      // Redirects are not followed, as the token would be missing or be sent to another server.
      redirect: "manual",
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
  }
}

/** Returns TLS options that trust exactly the certificate in this file, whatever host name it is for. */
function trustOnly(file: string) {
  return {
    ca: Bun.file(file),
    allowPartialTrustChain: true,
    checkServerIdentity(_host: string, { fingerprint256 }: PeerCertificate): Error | undefined {
      if (new X509Certificate(readFileSync(file)).fingerprint256 === fingerprint256)
        return undefined;
      return new Error(`it shows another certificate than "${file}"`);
    },
  };
}

/** Returns the schema of an endpoint's JSON response. */
function schemaOf({ path, answers }: Endpoint): z.ZodType {
  const schema = answers.find((answer) => answer.schema)?.schema;
  if (!schema) throw new Error(`${path} does not answer JSON`);
  return schema;
}

function whyUnreachable(server: string, error: unknown): string {
  if (!(error instanceof Error)) return `check the address "${server}": ${String(error)}`;
  if (error.name === "TimeoutError") {
    return `look at the log of the server at "${server}": it gave no answer within ${CALL_TIMEOUT / 1000} s`;
  }
  return "code" in error && error.code === "ECONNREFUSED"
    ? `no server answers at "${server}", start it with "${howToRun("server")}"`
    : `check the address "${server}": ${plainText(error.message)}`;
}
