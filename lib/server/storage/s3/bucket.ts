import { fullJitter } from "../../../util/backoff.ts";
import { errorOfAnswer, errorOfConnection, S3Error } from "./error.ts";
import { type Credentials, encode, queryString, signed, UNSIGNED_BODY } from "./signature.ts";

/** A bucket, and the credentials for it. */
export interface BucketOptions extends Credentials {
  /** Such as `https://s3.eu-central-1.amazonaws.com`. Buckets are paths below it. */
  endpoint: string;
  bucket: string;
  /** First and longest delay between two tries, in ms. */
  pauses?: { firstMs: number; longestMs: number };
}

/** A request about the bucket or one of its objects. */
export interface BucketRequest {
  method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Without it, the request is about the bucket itself. */
  key?: string;
  query?: Record<string, string>;
  /** Names are in lower case. */
  headers?: Record<string, string>;
  body?: Uint8Array<ArrayBuffer>;
  /** Expected size of the answer in bytes, for which more time is allowed. */
  expected?: number;
}

/** An answer with its whole body. */
export interface BucketAnswer {
  status: number;
  headers: Headers;
  bytes: Uint8Array<ArrayBuffer>;
}

/** How long a request is retried. */
export interface Patience {
  /** Time after the first try in which retries may begin, in ms; Infinity: no limit. */
  forMs: number;
  /** Longest time for a request without a body, in ms. */
  answerMs?: number;
  /** Also ends a try that is under way. */
  signal?: AbortSignal;
}

/** Longest time for the answer to a request without a body, in ms. */
const ANSWER_MS = 30_000;
/** Lowest rate of a request with a body before it is given up, in bytes a second. */
const SLOWEST = 64 * 1024;

const PAUSES = { firstMs: 200, longestMs: 5_000 };

/**
 * Sends requests to S3: signs them, limits their time, and retries what can pass (5xx, SlowDown, broken
 * connections, incomplete bodies).
 */
export class Bucket {
  readonly #origin: URL;

  constructor(private readonly options: BucketOptions) {
    this.#origin = new URL(options.endpoint);
  }

  /** The value of the header that names the source of a copy. */
  copySource(key: string): string {
    return this.#pathOf(key);
  }

  /** @returns an answer with a status of 2xx, or 304 @throws S3Error for any other, after the last retry */
  ask(request: BucketRequest, patience: Patience): Promise<BucketAnswer> {
    return this.again(() => this.#once(request, patience), patience);
  }

  /** Repeats work until it succeeds, as long as it throws an S3Error that can pass. @throws S3Error */
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
