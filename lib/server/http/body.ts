import { FdsError } from "../../protocol/errors.ts";

/** What a body of the API may take. */
export interface BodyLimits {
  /** In bytes. */
  size: number;
  /** From its first byte to its last, in ms. */
  time: number;
}

/**
 * Reads a request's body, which whoever sends it cannot draw out: not by its length, and not by
 * sending a byte now and then.
 * @throws FdsError `request_too_large`, or `invalid_request` when it takes too long
 */
export async function readBody(request: Request, { size, time }: BodyLimits): Promise<Uint8Array> {
  const tooLarge = () => new FdsError("request_too_large", `The body is over ${size / 1024} KiB`);
  if (Number(request.headers.get("Content-Length")) > size) throw tooLarge();
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
      if (length > size) throw tooLarge();
    }
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Whether the rest of a request's body may still come, which the runtime would wait for: then its
 * connection is good for nothing else.
 */
export function hasUnreadBody(request: Request, answer: Response): boolean {
  const { headers, bodyUsed } = request;
  const hasBody = Number(headers.get("Content-Length")) > 0 || headers.has("Transfer-Encoding");
  return hasBody && !(bodyUsed && answer.ok);
}
