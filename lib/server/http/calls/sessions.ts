import { endpoints } from "../../../api/endpoints.ts";
import type { Session } from "../../../api/schemas.ts";
import { FdsError } from "../../../protocol/errors.ts";
import { type Caller, LOCAL_ADMIN } from "../../access/caller.ts";
import { isoTime } from "../../records/records.ts";
import type { MakeCall } from "../call.ts";
import { json } from "../json.ts";
import type { SignIn } from "../sign-in.ts";

export interface SessionCallsOptions {
  /** Sessions of browsers; null: the server has no token to sign in with. */
  signIn: SignIn | null;
}

/** Builds the handlers of the REST calls for signing in and out. */
export function sessionCalls(call: MakeCall, { signIn }: SessionCallsOptions) {
  return {
    getSession: call(endpoints.getSession, async (c) => {
      const request = c.req.raw;
      const caller = (await signIn?.sessionOf(request)) ?? null;
      const ended = caller === null ? await signIn?.endOf(request) : null;
      return json({ ...sessionRecord(signIn, caller), ended: ended ?? null });
    }),

    signIn: call(endpoints.signIn, async (c) => {
      if (!signIn) return json(sessionRecord(null, null));
      const credentials = c.req.valid("json");
      const { caller, cookie } = await signIn.signIn(credentials, c.req.raw, c.env.address);
      c.var.note({ actor: caller.name });
      return json(sessionRecord(signIn, caller), { headers: { "Set-Cookie": cookie } });
    }),

    signOut: call(endpoints.signOut, async (c) => {
      if (!signIn) return json(sessionRecord(null, null));
      c.var.note({ actor: (await signIn.sessionOf(c.req.raw))?.name ?? null });
      const headers = { "Set-Cookie": await signIn.signOut(c.req.raw) };
      return json(sessionRecord(signIn, null), { headers });
    }),

    createSignInCode: call(endpoints.createSignInCode, async (c) => {
      if (!signIn) throw new FdsError("not_found", "This server has no token to sign in with");
      const { code, expiresAt } = await signIn.newCode(c.var.caller);
      return json({ code, expires_at: isoTime(expiresAt) });
    }),
  };
}

/**
 * Returns the record of a session.
 * @param caller the signed-in caller; null: nobody is signed in, or the server needs no token
 */
function sessionRecord(signIn: SignIn | null, caller: Caller | null): Session {
  return {
    signed_in: signIn === null || caller !== null,
    required: signIn !== null,
    expires_at: caller?.expiresAt == null ? null : isoTime(caller.expiresAt),
    ended: null,
    role: signIn === null ? LOCAL_ADMIN.role : (caller?.role ?? null),
  };
}
