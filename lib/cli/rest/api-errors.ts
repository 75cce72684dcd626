import { Failure } from "../program.ts";

/** The server's answer to a call that it refuses or fails. */
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

  /** The same error with what it is about. */
  about(what: string): ApiCallError {
    const { status, code, message } = this;
    return new ApiCallError(status, code, `${what}: ${message}`, { cause: this });
  }
}

/** No answer came: nothing listens there, the connection broke, or time ran out. */
export class UnreachableError extends Failure {
  override name = "UnreachableError";
}

/** Codes of a server that will do it another time. */
const WAITS: ReadonlySet<string> = new Set(["rate_limited", "unavailable"]);

/** True where another try makes sense: the server is away, or has no time for now. */
export function isTransient(error: unknown): error is ApiCallError | UnreachableError {
  return (
    error instanceof UnreachableError || (error instanceof ApiCallError && WAITS.has(error.code))
  );
}
