import { fullJitter } from "../../../util/backoff.ts";
import { errorOfAnswer, errorOfConnection, S3Error } from "./error.ts";
import { type Credentials, encode, queryString, signed, UNSIGNED_BODY } from "./signature.ts";

/** Where the objects are, and who asks for them. */
export interface BucketOptions extends Credentials {
  /** Such as `https://s3.eu-central-1.amazonaws.com`; buckets are paths in it. */
  endpoint: string;
  bucket: string;
  /** Delays between two tries, in ms: the first one, and the longest. */
  pauses?: { firstMs: number; longestMs: number };
}

/** A request about the bucket or one of its objects. */
export interface BucketRequest {
  method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Without it: the bucket. */
  key?: string;
  query?: Record<string, string>;
  /** Names in lower case. */
  headers?: Record<string, string>;
  body?: Uint8Array<ArrayBuffer>;
  /** Bytes that are expected in the answer: the more, the longer it may take. */
  expected?: number;
}

/** An answer that was read to its end. */
export interface BucketAnswer {
  status: number;
  headers: Headers;
  bytes: Uint8Array<ArrayBuffer>;
}

/** How long a request is tried. */
export interface Patience {
  /** Time after the first try from which on no other one begins, in ms; Infinity: there is always another. */
  forMs: number;
  /** How long a request without bytes may take, in ms. */
  answerMs?: number;
  /** Ends a try that is under way, too. */
  signal?: AbortSignal;
}

/** Longest time until a request without bytes is answered, in ms. */
const ANSWER_MS = 30_000;
/** Slowest rate of a request with bytes that is waited for, in bytes a second. */
const SLOWEST = 64 * 1024;

const PAUSES = { firstMs: 200, longestMs: 5_000 };

/**
 * Asks S3: signs, waits as long as is right, and tries again what may pass (5xx, SlowDown, connections
 * that break, bodies that are cut).
 */
export class Bucket {
  readonly #origin: URL;

  constructor(private readonly options: BucketOptions) {
    this.#origin = new URL(options.endpoint);
  }

  /** As a header names an object that is copied. */
  copySource(key: string): string {
    return this.#pathOf(key);
  }

  /**
   * @returns an answer of 2xx, or of 304
   * @throws S3Error for any other, once it is not tried any more
   */
  ask(request: BucketRequest, patience: Patience): Promise<BucketAnswer> {
    return this.again(() => this.#once(request, patience), patience);
  }

  /**
   * Does something until it works, as long as what it throws is an S3Error that may pass.
   * @throws S3Error
   */
  async again<T>(work: () => Promise<T>, { forMs, signal }: Patience): Promise<T> {
    const { firstMs, longestMs } = this.options.pauses ?? PAUSES;
    const start = performance.now();
    for (let tries = 0; ; tries++) {
      try {
        return await work();
      } catch (cause) {
        const error = errorOfConnection(cause);
        const pause = fullJitter(tries, firstMs, longestMs);
        const isOver = performance.now() + pause - start > forMs;
        if (!error.isPassing || isOver || signal?.aborted) throw error;
        await pauseUnless(pause, signal);
        if (signal?.aborted) throw error;
      }
    }
  }

  async #once(
    request: BucketRequest,
    { signal, answerMs = ANSWER_MS }: Patience,
  ): Promise<BucketAnswer> {
    const { method, body, expected = 0 } = request;
    const ms = answerMs + (((body?.length ?? 0) + expected) / SLOWEST) * 1000;
    const timeout = AbortSignal.timeout(ms);
    const answer = await this.#send(request, signal ? AbortSignal.any([signal, timeout]) : timeout);
    const bytes = new Uint8Array(await answer.arrayBuffer());
    const { status, headers } = answer;
    if (status >= 300 && status !== 304) {
      throw errorOfAnswer(status, new TextDecoder().decode(bytes));
    }
    const length = headers.get("content-length");
    if (method !== "HEAD" && length !== null && Number(length) !== bytes.length) {
      throw new S3Error("the body was cut", null);
    }
    return { status, headers, bytes };
  }

  #send(request: BucketRequest, signal: AbortSignal): Promise<Response> {
    const { method, key, query = {}, headers = {}, body } = request;
    const path = this.#pathOf(key);
    const { host } = this.#origin;
    const bodyHash = UNSIGNED_BODY;
    const unsigned = { method, host, path, query, headers, bodyHash };
    const search = queryString(query);
    return fetch(`${this.#origin.origin}${path}${search === "" ? "" : `?${search}`}`, {
      method,
      headers: signed(unsigned, this.options, Date.now()),
      redirect: "manual",
      signal,
      ...(body && { body }),
    });
  }

  #pathOf(key?: string): string {
    const names = [this.options.bucket, ...(key === undefined ? [] : key.split("/"))];
    const base = this.#origin.pathname.replace(/\/$/, "");
    return `${base}/${names.map(encode).join("/")}`;
  }
}

function pauseUnless(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", over);
      resolve();
    };
    const timer = setTimeout(over, ms);
    signal?.addEventListener("abort", over);
  });
}
