import type { Role } from "../../api/roles.ts";
import { FdsError } from "../../protocol/errors.ts";
import type { Sites } from "./sites.ts";

/** Somebody who may call the API. */
export interface Caller {
  /** Name of the token: `API_TOKEN` for the one in the settings; null where the server needs no token. */
  name: string | null;
  role: Role;
  /** The only clients that the caller sees; null: all. */
  sites: Sites | null;
  /** Hash of the token's secret; null: the token was not made by an admin. */
  tokenHash: string | null;
  /** End of validity, ms since 1970; null: no end. */
  expiresAt: number | null;
  /** Hash of the session in the caller's cookie; null: a token was sent, or nothing. */
  sessionHash: string | null;
}

/** The name of the caller with the API_TOKEN of the settings. No other name has capital letters. */
export const BOOTSTRAP = "API_TOKEN";

/** The caller with the API_TOKEN of the settings. */
export const BOOTSTRAP_ADMIN: Caller = {
  name: BOOTSTRAP,
  role: "admin",
  sites: null,
  tokenHash: null,
  expiresAt: null,
  sessionHash: null,
};

/** Anybody on this machine, where the server has no API_TOKEN. */
export const LOCAL_ADMIN: Caller = { ...BOOTSTRAP_ADMIN, name: null };

/** Whether the caller's access can end while the server runs; that of the API_TOKEN cannot. */
export function canEnd({ name, sessionHash }: Caller): boolean {
  return sessionHash !== null || (name !== null && name !== BOOTSTRAP);
}

/** The answer to a caller who names something that it may not see: the same as if it did not exist. */
export class OutOfScope extends FdsError {
  /**
   * @param answer the error for something that does not exist
   * @param clientId the client that it belongs to, for the audit
   */
  constructor(
    answer: FdsError,
    readonly clientId: string,
  ) {
    super(answer.code, answer.message);
  }
}
