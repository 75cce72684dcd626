import type { Session, SignInCode } from "../../../api/schemas.ts";
import { FdsError } from "../../../protocol/errors.ts";
import { type Caller, LOCAL_ADMIN } from "../../access/caller.ts";
import { json } from "../json.ts";
import { isoTime } from "../../records/records.ts";
import type { Handlers } from "../routing.ts";
import type { SignIn } from "../sign-in.ts";

/**
 * How a browser signs in and out.
 * @param signIn null where there is no token to sign in with
 */
export function sessionCalls(signIn: SignIn | null) {
  return {
    async getSession({ request }) {
      const caller = (await signIn?.sessionOf(request)) ?? null;
      const ended = caller === null ? await signIn?.endOf(request) : null;
      return json({ ...sessionRecord(signIn, caller), ended: ended ?? null } satisfies Session);
    },

    async signIn({ body, request, address, note }) {
      if (!signIn) return json(sessionRecord(null, null));
      const { caller, cookie } = await signIn.signIn(body, request, address);
      note({ actor: caller.name });
      return json(sessionRecord(signIn, caller), { headers: { "Set-Cookie": cookie } });
    },

    async signOut({ request, note }) {
      if (!signIn) return json(sessionRecord(null, null));
      note({ actor: (await signIn.sessionOf(request))?.name ?? null });
      const headers = { "Set-Cookie": await signIn.signOut(request) };
      return json(sessionRecord(signIn, null), { headers });
    },

    createSignInCode({ caller }) {
      if (!signIn) throw new FdsError("not_found", "This server has no token to sign in with");
      const { code, expiresAt } = signIn.newCode(caller);
      return json({ code, expires_at: isoTime(expiresAt) } satisfies SignInCode);
    },
  } satisfies Partial<Handlers>;
}

/** @param caller who is signed in; null: nobody, and where the server asks for no token, anyone */
function sessionRecord(signIn: SignIn | null, caller: Caller | null): Session {
  return {
    signed_in: signIn === null || caller !== null,
    required: signIn !== null,
    expires_at: caller?.expiresAt == null ? null : isoTime(caller.expiresAt),
    ended: null,
    role: signIn === null ? LOCAL_ADMIN.role : (caller?.role ?? null),
  };
}
