import type { Context } from "hono";
import { matchedRoutes } from "hono/route";
import type { AuditAction } from "../../api/audit.ts";
import { endpoints } from "../../api/endpoints.ts";
import { type ErrorCode, FdsError } from "../../protocol/errors.ts";
import { OutOfScope } from "../access/caller.ts";
import type { Audit } from "../audit/audit.ts";
import type { About, RestEnv } from "./rest-env.ts";

/** What a caller is told that may not do what it asks for. */
const DENIALS: ReadonlySet<ErrorCode> = new Set(["unauthorized", "forbidden", "rate_limited"]);

/**
 * Does what is asked, and records how it ended.
 * @param action what the audit calls it; undefined: nothing is recorded
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

/** Records that somebody was not let in, or reached for what is not theirs. */
export function auditDenial(error: Error, c: Context<RestEnv>, audit: Pick<Audit, "record">): void {
  if (!(error instanceof FdsError)) return;
  const isHidden = error instanceof OutOfScope;
  if (!isHidden && !DENIALS.has(error.code)) return;
  // A sign-in is recorded where it happens.
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
