import { Failure } from "../program.ts";

/** A call that the server refused or could not carry out, with the HTTP status and the API's error code. */
export class ApiCallError extends Failure {
  override name = "ApiCallError";

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }

  /** Returns an error with the same status and code, whose message begins with `what` and a colon. */
  withPrefix(prefix: string): ApiCallError {
    const { status, code, message } = this;
    return new ApiCallError(status, code, `${prefix}: ${message}`, { cause: this });
  }
}

/** The server did not answer: the connection was refused or broke, or time ran out. */
export class UnreachableError extends Failure {
  override name = "UnreachableError";
}

/** Error codes for which the same call may succeed later. */
const TRANSIENT_CODES: ReadonlySet<string> = new Set(["rate_limited", "unavailable"]);

/** Reports whether another try makes sense, because the server is unreachable or too busy. */
export function isTransient(error: unknown): error is ApiCallError | UnreachableError {
  return (
    error instanceof UnreachableError ||
    (error instanceof ApiCallError && TRANSIENT_CODES.has(error.code))
  );
}
