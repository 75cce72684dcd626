import { FdsError } from "../../protocol/errors.ts";

/** Limits of a body of the API. */
export interface BodyLimits {
  /** In bytes. */
  size: number;
  /** From its first byte to its last, in ms. */
  time: number;
}

/** @param size most bytes that it may have */
export function tooLarge(size: number): FdsError {
  return new FdsError("request_too_large", `The body is over ${size / 1024} KiB`);
}

/**
 * Reads a request's body, which whoever sends it cannot draw out: not by its length, and not by
 * sending a byte now and then.
 * @throws FdsError `request_too_large`, or `invalid_request` when it takes too long
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
    // For whoever drops the rest.
    reader?.releaseLock();
  }
}

/** What is read of a body that nobody wants: bytes, and ms. */
const DROPPED: BodyLimits = { size: 1024 * 1024, time: 1_000 };

/**
 * Reads what is left of a body and drops it, within limits. A connection that is closed before all of
 * it has come is reset, and the answer may be lost with that.
 */
export async function dropBody({ body, headers }: Request): Promise<void> {
  if (!body || body.locked || Number(headers.get("Content-Length")) > DROPPED.size) return;
  const reader = body.getReader();
  const timer = setTimeout(() => void reader.cancel(), DROPPED.time);
  try {
    for (let length = 0; length <= DROPPED.size;) {
      const { value } = await reader.read();
      if (value === undefined) return;
      length += value.length;
    }
  } catch {
    // The caller has gone, and hears no answer anyway.
  } finally {
    clearTimeout(timer);
    reader.releaseLock();
  }
}

/**
 * Whether the rest of a request's body may still come, which the runtime would wait for: then its
 * connection is good for nothing else.
 */
export function hasUnreadBody(request: Request, answer: Response): boolean {
  return hasBody(request) && !(request.bodyUsed && answer.ok);
}

/** Whether a request announces a body, whatever its method. */
export function hasBody({ headers }: Request): boolean {
  return Number(headers.get("Content-Length")) > 0 || headers.has("Transfer-Encoding");
}
