import { FdsError } from "../../../protocol/errors.ts";
import { systemCode } from "../../../util/system-error.ts";
import { valueOf } from "./xml.ts";

/** Error codes of S3 servers without free space. The condition may pass. */
const FULL = new Set(["QuotaExceeded", "XMinioStorageFull", "InsufficientStorage"]);

/** Error codes after which a retry may succeed. */
const TEMPORARY = new Set(["InternalError", "SlowDown", "ServiceUnavailable", "RequestTimeout"]);

/** HTTP status for a request that the S3 server does not implement. */
const NOT_IMPLEMENTED = 501;

/** A failed request to S3. */
export class S3Error extends Error {
  override name = "S3Error";

  /**
   * @param code error code of S3, such as `NoSuchKey`, or of the system, such as `ECONNREFUSED`
   * @param status HTTP status of the answer; null: no answer
   */
  constructor(
    readonly code: string,
    readonly status: number | null,
    options?: { cause?: unknown },
  ) {
    super(status === null ? code : `${code} (${status})`, options);
  }

  /** Whether the error is temporary, so that the same request may succeed later. */
  get isTemporary(): boolean {
    const { status } = this;
    if (status === null || status === 429 || TEMPORARY.has(this.code)) return true;
    return status >= 500 && status !== NOT_IMPLEMENTED;
  }

  /** Whether the S3 server does not implement the request. */
  get isNotImplemented(): boolean {
    return this.status === NOT_IMPLEMENTED;
  }

  /** Whether the bucket is full. */
  get isFull(): boolean {
    return this.status === 507 || FULL.has(this.code);
  }
}

/**
 * Returns the error for an unsuccessful answer.
 * @param text body of the answer, which may or may not be S3's XML
 */
export function errorOfAnswer(status: number, text: string): S3Error {
  return new S3Error(valueOf(text, "Code") ?? "no reason", status);
}

/**
 * Returns the error for a request without an answer. It contains only the system's error code, because the
 * system's text contains addresses.
 */
export function errorOfConnection(cause: unknown): S3Error {
  if (cause instanceof S3Error) return cause;
  const isLate = cause instanceof DOMException && cause.name === "TimeoutError";
  const code = isLate ? "no answer in time" : (systemCode(cause) ?? "the connection broke");
  return new S3Error(code, null, { cause });
}

/**
 * Converts an error of S3 to one for REST and the rows of downloads.
 * @param action what was being done, for the error message, such as `"write the part"`
 */
export function problemInS3(action: string, cause: unknown): FdsError {
  if (cause instanceof FdsError) return cause;
  const code = cause instanceof S3Error && cause.isFull ? "storage_full" : "storage_error";
  const why = cause instanceof S3Error ? cause.message : "unexpected error";
  return new FdsError(code, `cannot ${action}: S3: ${why}`, { cause });
}

/**
 * Runs requests to S3 and converts their errors.
 * @throws FdsError `storage_full` or `storage_error`
 */
export async function inS3<T>(action: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw problemInS3(action, cause);
  }
}
