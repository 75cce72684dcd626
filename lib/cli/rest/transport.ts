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

/** Time limit of a call, and of a pause within an answer, in ms. */
const CALL_TIMEOUT = 30_000;

/** Which server to call, and how. */
export interface ServerConnection {
  /** Such as `http://127.0.0.1:8080`. */
  server: string;
  /** The server's API_TOKEN; undefined: it has none. */
  token?: string;
  /**
   * PEM files: the CA of the server's certificate, and our own certificate where the server asks for one.
   */
  tls?: {
    ca?: string;
    cert?: string;
    key?: string;
    /** The certificate of a server on this machine: it alone is trusted, whatever name it is for. */
    own?: string;
  };
}

/** Options of a call, besides what its endpoint needs. */
export interface CallOptions {
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/**
 * Sends calls to one server. Each method throws ApiCallError or UnreachableError, or the reason of
 * the call's signal when that is aborted.
 */
export class Transport {
  constructor(private readonly connection: ServerConnection) {}

  /** The server's address, as it was given. */
  get server(): string {
    return this.connection.server;
  }

  /** The server's address without a trailing slash. */
  get baseUrl(): string {
    return this.server.replace(/\/+$/, "");
  }

  /** Makes a call whose answer is JSON. */
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
   * An answer in pieces, however long it goes on.
   * @param options `isWanted` checks whether it is the expected kind of answer
   * @throws UnreachableError also where it is cut off, or nothing comes for a while
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

  /** Why a call failed: the reason of its signal, the server's error, or that there was no answer. */
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
        ...(tls?.own && trustOnly(tls.own)),
        ...(tls?.cert && { cert: Bun.file(tls.cert) }),
        ...(tls?.key && { key: Bun.file(tls.key) }),
      },
      // A proxy of the environment would see the token, and could not reach our loopback.
      ...(leadsHere(url.hostname) && { proxy: false }),
      // After a redirect, the token would be missing, or be sent to another server.
      redirect: "manual",
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
  }
}

/** Options of TLS for a server that has exactly this certificate, which is for the name that the world calls. */
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

/** The schema of an endpoint's JSON answer. */
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
