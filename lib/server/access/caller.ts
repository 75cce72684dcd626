import type { Role } from "../../api/roles.ts";
import { FdsError } from "../../protocol/errors.ts";
import type { Sites } from "./sites.ts";

/** Somebody who calls the API, and what the caller may do. */
export interface Caller {
  /**
   * Name of the caller's token, `API_TOKEN` for the token in the settings; null: the server needs no token.
   */
  name: string | null;
  role: Role;
  /** The only clients that the caller may see; null: all clients. */
  sites: Sites | null;
  /**
   * Hash of the secret of the caller's token; null: the caller uses the API_TOKEN of the settings, or the
   * server needs no token.
   */
  tokenHash: string | null;
  /** When the caller's access ends, in ms since 1970; null: it does not end by itself. */
  expiresAt: number | null;
  /** Hash of the session in the caller's cookie; null: the caller did not send a session's cookie. */
  sessionHash: string | null;
}

/**
 * Name of the caller who sent the API_TOKEN of the settings. No other token has this name, as names of tokens
 * have no capital letters.
 */
export const BOOTSTRAP = "API_TOKEN";

/** The caller who sent the API_TOKEN of the settings. */
export const BOOTSTRAP_ADMIN: Caller = {
  name: BOOTSTRAP,
  role: "admin",
  sites: null,
  tokenHash: null,
  expiresAt: null,
  sessionHash: null,
};

/** The caller on a server without an API_TOKEN: anybody on this machine. */
export const LOCAL_ADMIN: Caller = { ...BOOTSTRAP_ADMIN, name: null };

/**
 * Reports whether the caller's access can end while the server runs. The API_TOKEN of the settings is valid
 * until the server stops.
 */
export function canEnd({ name, sessionHash }: Caller): boolean {
  return sessionHash !== null || (name !== null && name !== BOOTSTRAP);
}

/**
 * The error for a caller who names something that the caller may not see. The error reads as if the thing did
 * not exist.
 */
export class OutOfScope extends FdsError {
  /**
   * @param answer the error for a thing that does not exist
   * @param clientId id of the client that the thing belongs to, for the audit
   */
  constructor(
    answer: FdsError,
    readonly clientId: string,
  ) {
    super(answer.code, answer.message);
  }
}
