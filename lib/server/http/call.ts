import { zValidator } from "@hono/zod-validator";
import type { Context, MiddlewareHandler } from "hono";
import * as z from "zod";
import type { AnswerOf, Endpoint } from "../../api/endpoints/endpoint.ts";
import type { Audit } from "../audit/audit.ts";
import type { Access } from "./authentication.ts";
import { audited } from "./call-audit.ts";
import { authenticateAgain, callerIn } from "./callers.ts";
import type { JsonResponse } from "./json.ts";
import { jsonBody } from "./json-body.ts";
import type { LongAnswers } from "./long-answers.ts";
import type { CallContext, RestEnv } from "./rest-env.ts";
import { VALIDATION_MESSAGES, refuseInvalid } from "./validation.ts";

/**
 * Schema for endpoints that have no query parameters. A request with any parameter is refused, so that nobody
 * relies on a parameter that has no effect.
 */
const NO_QUERY = z.strictObject({});

/** The response of an endpoint: JSON that matches the endpoint's schema, or another body. */
type Answer<E extends Endpoint> = [AnswerOf<E>] extends [never]
  ? Response
  : JsonResponse<AnswerOf<E>>;

/** The handler of an endpoint, which gets a validated request. */
export type Handle<E extends Endpoint> = (c: CallContext<E>) => Answer<E> | Promise<Answer<E>>;

/** A step in handling the calls of an endpoint, as Hono middleware. */
export type CallHandler<E extends Endpoint> = MiddlewareHandler<RestEnv> & {
  /** Never set. This field makes the types of different endpoints distinct for the compiler. */
  readonly endpoint?: E;
};

/** Builds the middleware steps of an endpoint, which run after the check of the caller's role. */
export type MakeCall = <E extends Endpoint>(endpoint: E, handle: Handle<E>) => CallHandler<E>[];

export interface CallsOptions {
  access: Access;
  longAnswers: LongAnswers;
  audit: Pick<Audit, "record">;
}

/**
 * Returns a function that builds the middleware steps of an endpoint: validation of query and body, then the
 * handler.
 */
export function callsWith({ access, longAnswers, audit }: CallsOptions): MakeCall {
  return (endpoint, handle) => {
    const { query, body, hasLongAnswer } = endpoint;
    const checked = (target: "query" | "json", schema: z.ZodType) =>
      zValidator(target, schema, refuseInvalid, VALIDATION_MESSAGES);
    const steps: MiddlewareHandler[] = [checked("query", query ?? NO_QUERY)];
    if (body) {
      steps.push(jsonBody(endpoint), authenticateAgain(access), checked("json", body));
    }
    const act: MiddlewareHandler<RestEnv> = (c) =>
      audited(c, endpoint.audit, audit, async () => {
        c.set("answering", longAnswers.helpersFor(c.req.raw, c.var.caller));
        // The cast is safe, as the earlier steps have checked the role, the query and the body.
        const answer = await handle(c as unknown as CallContext<typeof endpoint>);
        if (hasLongAnswer) await confirmAccess(c, access, answer);
        return answer;
      });
    return [...steps, act];
  };
}

/**
 * Cancels a response whose caller lost access while the response was being made.
 * @throws FdsError `unauthorized`, `forbidden` or `rate_limited`
 */
async function confirmAccess(c: Context<RestEnv>, access: Access, answer: Response): Promise<void> {
  try {
    await callerIn(c, access);
  } catch (error) {
    await answer.body?.cancel();
    throw error;
  }
}
