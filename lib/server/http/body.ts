import { FdsError } from "../../protocol/errors.ts";

/** Limits of a request's body. */
export interface BodyLimits {
  /** Largest size of the body, in bytes. */
  size: number;
  /** Longest time from the start of reading until all of the body has arrived, in ms. */
  time: number;
}

/** Returns the error for a request body that is too large. @param size the limit in bytes */
export function tooLarge(size: number): FdsError {
  return new FdsError("request_too_large", `The body is over ${size / 1024} KiB`);
}

/**
 * Reads a request's body, limited in size and time, so that a slow or endless body cannot hold the server.
 * @throws FdsError `request_too_large`, or `invalid_request` if the body takes too long
 */
export async function readBody(request: Request, { size, time }: BodyLimits): Promise<Uint8Array> {
  if (Number(request.headers.get("Content-Length")) > size) throw tooLarge(size);
  const reader = request.body?.getReader();
  const tooLate = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    tooLate.reject(new FdsError("invalid_request", `The body took over ${time / 1000} s`));
  }, time);
  try {
    const parts: Uint8Array[] = [];
    let length = 0;
    for (;;) {
      const part = await Promise.race([reader?.read(), tooLate.promise]);
      if (part?.value === undefined) return Buffer.concat(parts);
      parts.push(part.value);
      length += part.value.length;
      if (length > size) throw tooLarge(size);
    }
  } finally {
    clearTimeout(timer);
    // Only unlocks the stream. The rest of the body is dropped later, by {@link dropBody}.
    reader?.releaseLock();
  }
}

/** Limits for reading and dropping the rest of a refused body, in bytes and ms. */
const DROP_LIMITS: BodyLimits = { size: 1024 * 1024, time: 1_000 };

/**
 * Reads and drops the rest of a request body, within limits. If the connection were closed before all of the
 * body has arrived, it would be reset, and the response could be lost.
 */
export async function dropBody({ body, headers }: Request): Promise<void> {
  if (!body || body.locked || Number(headers.get("Content-Length")) > DROP_LIMITS.size) return;
  const reader = body.getReader();
  const timer = setTimeout(() => void reader.cancel(), DROP_LIMITS.time);
  try {
    for (let length = 0; length <= DROP_LIMITS.size;) {
      const { value } = await reader.read();
      if (value === undefined) return;
      length += value.length;
    }
  } catch {
    // The caller has disconnected, so no response can be sent.
  } finally {
    clearTimeout(timer);
    reader.releaseLock();
  }
}

/**
 * Reports whether the rest of a request body may still arrive. If so, the connection must be closed, as the
 * runtime would wait for the rest before it handles another request.
 */
export function hasUnreadBody(request: Request, answer: Response): boolean {
  return hasBody(request) && !(request.bodyUsed && answer.ok);
}

/** Reports whether the headers of a request announce a body, whatever its method. */
export function hasBody({ headers }: Request): boolean {
  return Number(headers.get("Content-Length")) > 0 || headers.has("Transfer-Encoding");
}
