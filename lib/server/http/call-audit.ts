import type { Context } from "hono";
import { matchedRoutes } from "hono/route";
import type { AuditAction } from "../../api/audit.ts";
import { endpoints } from "../../api/endpoints.ts";
import { type ErrorCode, FdsError } from "../../protocol/errors.ts";
import { OutOfScope } from "../access/caller.ts";
import type { Audit } from "../audit/audit.ts";
import type { About, RestEnv } from "./rest-env.ts";

/** Error codes that the audit records as denied access. */
const DENIALS: ReadonlySet<ErrorCode> = new Set(["unauthorized", "forbidden", "rate_limited"]);

/**
 * Runs the handler of a call, and records its outcome in the audit.
 * @param action name of the call in the audit; undefined: nothing is recorded
 */
export async function audited(
  c: Context<RestEnv>,
  action: AuditAction | undefined,
  audit: Pick<Audit, "record">,
  work: () => Promise<Response>,
): Promise<Response> {
  const about: About = {};
  c.set("note", (more) => void Object.assign(about, more));
  if (action === undefined) return work();
  const who = { actor: c.var.caller?.name ?? null, address: c.env.address };
  let outcome = "internal_error";
  try {
    const answer = await work();
    outcome = "ok";
    return answer;
  } catch (error) {
    if (error instanceof FdsError) outcome = error.code;
    throw error;
  } finally {
    audit.record({ action, outcome, ...who, ...about });
  }
}

/**
 * Records an error in the audit if it denies access: the caller was not authenticated, lacks a right, made
 * too many requests, or asked for something that the caller may not see.
 */
export function auditDenial(error: Error, c: Context<RestEnv>, audit: Pick<Audit, "record">): void {
  if (!(error instanceof FdsError)) return;
  const isHidden = error instanceof OutOfScope;
  if (!isHidden && !DENIALS.has(error.code)) return;
  // Sign-ins are recorded by their own handler, including failed ones.
  const path = matchedRoutes(c).at(-1)?.path ?? "";
  if (path === endpoints.signIn.path) return;
  audit.record({
    action: "denied",
    outcome: isHidden ? "forbidden" : error.code,
    actor: c.var.caller?.name ?? null,
    address: c.env.address,
    target: `${c.req.method} ${path}`,
    clientId: isHidden ? error.clientId : null,
  });
}
