import { fullJitter } from "../../../util/backoff.ts";
import { errorOfAnswer, errorOfConnection, S3Error } from "./error.ts";
import { type Credentials, encode, queryString, signed, UNSIGNED_BODY } from "./signature.ts";

/** An S3 bucket, and the credentials for it. */
export interface BucketOptions extends Credentials {
  /**
   * URL of the S3 service, such as `https://s3.eu-central-1.amazonaws.com`. The bucket's name is added to its
   * path.
   */
  endpoint: string;
  bucket: string;
  /** First and longest delay between two tries of a request, in ms. */
  pauses?: { firstMs: number; longestMs: number };
}

/** A request to S3, about the bucket or one of its objects. */
export interface BucketRequest {
  method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Key of the object; undefined: the request is about the bucket. */
  key?: string;
  query?: Record<string, string>;
  /** Headers of the request, with names in lower case. */
  headers?: Record<string, string>;
  body?: Uint8Array<ArrayBuffer>;
  /** Expected size of the answer, in bytes. It extends the time limit of the request. */
  expected?: number;
}

/** An answer of S3 with its whole body. */
export interface BucketAnswer {
  status: number;
  headers: Headers;
  bytes: Uint8Array<ArrayBuffer>;
}

/** How long a request is retried, and how long one try may take. */
export interface Patience {
  /** How long after the first try another one may begin, in ms; Infinity: no limit. */
  maxRetryMs: number;
  /** Time limit for one try of a request without a body, in ms. */
  answerMs?: number;
  /** Aborts the retries, and also the try under way. */
  signal?: AbortSignal;
}

/** Default time limit for the answer to a request without a body, in ms. */
const ANSWER_MS = 30_000;
/**
 * Lowest accepted transfer rate, in bytes a second. It determines how much extra time a request gets for its
 * body and for a large answer.
 */
const MIN_RATE = 64 * 1024;

const PAUSES = { firstMs: 200, longestMs: 5_000 };

/**
 * Sends requests to S3. Requests are signed, have a time limit, and are retried after temporary errors: 5xx,
 * SlowDown, broken connections, incomplete bodies.
 */
export class Bucket {
  readonly #origin: URL;

  constructor(private readonly options: BucketOptions) {
    this.#origin = new URL(options.endpoint);
  }

  /** Returns the value of the header `x-amz-copy-source` for an object. */
  copySource(key: string): string {
    return this.#pathOf(key);
  }

  /**
   * Sends a request, with retries.
   * @returns an answer with status 2xx or 304
   * @throws S3Error if there is another answer, or none. A temporary error is thrown when the retries are
   *   used up, any other error at once
   */
  ask(request: BucketRequest, patience: Patience): Promise<BucketAnswer> {
    return this.retry(() => this.#tryOnce(request, patience), patience);
  }

  /**
   * Does work, and repeats it after each temporary error.
   * @throws S3Error when the retries are used up, or for a permanent error
   */
  async retry<T>(work: () => Promise<T>, { maxRetryMs, signal }: Patience): Promise<T> {
    const { firstMs, longestMs } = this.options.pauses ?? PAUSES;
    const start = performance.now();
    for (let tries = 0; ; tries++) {
      try {
        return await work();
      } catch (cause) {
        const error = errorOfConnection(cause);
        const pause = fullJitter(tries, firstMs, longestMs);
        const isOver = performance.now() + pause - start > maxRetryMs;
        if (!error.isTemporary || isOver || signal?.aborted) throw error;
        await pauseUnless(pause, signal);
        if (signal?.aborted) throw error;
      }
    }
  }

  async #tryOnce(
    request: BucketRequest,
    { signal, answerMs = ANSWER_MS }: Patience,
  ): Promise<BucketAnswer> {
    const { method, body, expected = 0 } = request;
    const ms = answerMs + (((body?.length ?? 0) + expected) / MIN_RATE) * 1000;
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
    const finish = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal?.addEventListener("abort", finish);
  });
}
