import type { ErrorHandler } from "hono";
import { HTTPException } from "hono/http-exception";
import { FdsError } from "../../protocol/errors.ts";
import type { Logger } from "../../util/logger.ts";
import type { Audit } from "../audit/audit.ts";
import { auditDenial } from "./call-audit.ts";
import { problem } from "./problem.ts";
import { RateLimited } from "./rate-limited.ts";
import type { RestEnv } from "./rest-env.ts";

export interface ErrorAnswersOptions {
  audit: Pick<Audit, "record">;
  logger: Logger;
}

/**
 * Returns a handler that turns every error into a response. Errors of this program are shown with their
 * messages, unexpected ones without any detail.
 */
export function errorAnswers({ audit, logger }: ErrorAnswersOptions): ErrorHandler<RestEnv> {
  return (error, c) => {
    auditDenial(error, c, audit);
    if (error instanceof FdsError && error.code !== "internal_error") {
      return problem(error.code, error.message, headersFor(error));
    }
    if (error instanceof HTTPException && error.status === 400) {
      return problem("invalid_request", "The body is not JSON");
    }
    // The caller disconnected and gets no response, so this is no fault of the server.
    if (error.name === "AbortError") return problem("invalid_request", "The body did not come");
    logger.error("a request failed", { method: c.req.method, path: c.req.path }, error);
    return problem("internal_error", "The server failed, its log says why");
  };
}

/** Returns the response for unknown paths. */
export function nothingHere(): Response {
  return problem("not_found", "There is nothing at this address");
}

/** Returns the response headers for an error, such as Retry-After. */
function headersFor(error: FdsError): Record<string, string> {
  if (!(error instanceof RateLimited)) return {};
  return { "Retry-After": String(Math.ceil(error.wait / 1000)) };
}
