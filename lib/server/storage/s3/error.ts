import { FdsError } from "../../../protocol/errors.ts";
import { systemCode } from "../../../util/system-error.ts";
import { valueOf } from "./xml.ts";

/** How S3 and its kin say that there is no room, which can be made. */
const FULL = new Set(["QuotaExceeded", "XMinioStorageFull", "InsufficientStorage"]);

/** Statuses of answers after which another try may work. */
const PASSING = new Set(["InternalError", "SlowDown", "ServiceUnavailable", "RequestTimeout"]);

/** What went wrong with a request to S3. */
export class S3Error extends Error {
  override name = "S3Error";

  /**
   * @param code S3's own, such as `NoSuchKey`, or one of a system, such as `ECONNREFUSED`
   * @param status of the answer; null where there was none
   */
  constructor(
    readonly code: string,
    readonly status: number | null,
    options?: { cause?: unknown },
  ) {
    super(status === null ? code : `${code} (${status})`, options);
  }

  /** Whether the same request may work later. */
  get isPassing(): boolean {
    const { status } = this;
    return status === null || status >= 500 || status === 429 || PASSING.has(this.code);
  }

  /** Whether the room of the bucket is used up. */
  get isFull(): boolean {
    return this.status === 507 || FULL.has(this.code);
  }
}

/** What an answer that is no success says. @param text of its body, with S3's XML or without */
export function errorOfAnswer(status: number, text: string): S3Error {
  return new S3Error(valueOf(text, "Code") ?? "no reason", status);
}

/** What a request that had no answer met: its name alone, as the runtime's words name addresses. */
export function errorOfConnection(cause: unknown): S3Error {
  if (cause instanceof S3Error) return cause;
  const isLate = cause instanceof DOMException && cause.name === "TimeoutError";
  const code = isLate ? "no answer in time" : (systemCode(cause) ?? "the connection broke");
  return new S3Error(code, null, { cause });
}

/**
 * The error as REST and rows tell it.
 * @param action what cannot be done: `"write the part"`
 */
export function problemInS3(action: string, cause: unknown): FdsError {
  if (cause instanceof FdsError) return cause;
  const code = cause instanceof S3Error && cause.isFull ? "storage_full" : "storage_error";
  const why = cause instanceof S3Error ? cause.message : "unexpected error";
  return new FdsError(code, `cannot ${action}: S3: ${why}`, { cause });
}

/** Runs something that asks S3. @throws FdsError `storage_full` or `storage_error` */
export async function inS3<T>(action: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw problemInS3(action, cause);
  }
}
