import type { MiddlewareHandler } from "hono";
import type { Endpoint } from "../../api/endpoints/endpoint.ts";
import { readBody, tooLarge } from "./body.ts";

/** Limits of a request body: its size in bytes, and the time in ms until all of it has arrived. */
const MAX_BODY_BYTES = 64 * 1024;
const BODY_WITHIN_MS = 10_000;

/** The JSON that replaces a missing request body, if the endpoint allows that. */
const NO_FIELDS = new TextEncoder().encode("{}");

/**
 * Returns a middleware that reads the request body as JSON, whatever its Content-Type. curl -d sends another
 * type by default.
 * @throws FdsError `request_too_large` or `invalid_request`, from the middleware
 */
export function jsonBody({
  largeBody: large,
  bodyIsOptional,
}: Pick<Endpoint, "bodyIsOptional" | "largeBody">): MiddlewareHandler {
  const size = large?.bytes ?? MAX_BODY_BYTES;
  return async (c, next) => {
    const { raw } = c.req;
    const sent = await readBody(raw, { size, time: BODY_WITHIN_MS });
    const body = bodyIsOptional && sent.length === 0 ? NO_FIELDS : sent;
    if (body.length > MAX_BODY_BYTES && !(large && hasField(body, large.field))) {
      throw tooLarge(MAX_BODY_BYTES);
    }
    const headers = new Headers(raw.headers);
    headers.set("Content-Type", "application/json");
    c.req.raw = new Request(raw.url, { method: raw.method, headers, body, signal: raw.signal });
    await next();
  };
}

function hasField(body: Uint8Array, field: string): boolean {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(body));
    return typeof value === "object" && value !== null && field in value;
  } catch {
    return false;
  }
}
