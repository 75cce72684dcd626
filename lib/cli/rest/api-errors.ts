import { Failure } from "../program.ts";

/** A call that the server refused, or failed to do. */
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

  /** The same error, with its subject. */
  about(what: string): ApiCallError {
    const { status, code, message } = this;
    return new ApiCallError(status, code, `${what}: ${message}`, { cause: this });
  }
}

/** There was no answer: nothing listens there, the connection broke, or time ran out. */
export class UnreachableError extends Failure {
  override name = "UnreachableError";
}

/** Codes of a server that may do it later. */
const WAITS: ReadonlySet<string> = new Set(["rate_limited", "unavailable"]);

/** Whether another try makes sense: the server is away or too busy. */
export function isTransient(error: unknown): error is ApiCallError | UnreachableError {
  return (
    error instanceof UnreachableError || (error instanceof ApiCallError && WAITS.has(error.code))
  );
}
