import type { Role } from "../../api/roles.ts";
import { FdsError } from "../../protocol/errors.ts";
import type { Sites } from "./sites.ts";

/** Somebody who was let in to call the API. */
export interface Caller {
  /** Name of the token: `API_TOKEN` for the one in the settings, null where the server asks for none. */
  name: string | null;
  role: Role;
  /** The only clients that it sees; null: all. */
  sites: Sites | null;
  /** Hash of the token's secret; null: an admin did not make this token. */
  tokenHash: string | null;
  /** When its right ends, ms since 1970; null: not by itself. */
  expiresAt: number | null;
  /** Hash of the session in its cookie; null: it showed a token, or nothing. */
  sessionHash: string | null;
}

/** The name of the caller that shows the API_TOKEN of the settings; no other has capital letters. */
export const BOOTSTRAP = "API_TOKEN";

/** Who shows the API_TOKEN of the settings. */
export const BOOTSTRAP_ADMIN: Caller = {
  name: BOOTSTRAP,
  role: "admin",
  sites: null,
  tokenHash: null,
  expiresAt: null,
  sessionHash: null,
};

/** Anyone on this machine, where the server has no API_TOKEN. */
export const LOCAL_ADMIN: Caller = { ...BOOTSTRAP_ADMIN, name: null };

/** Whether the right of a caller can end while the server runs: that of the API_TOKEN cannot. */
export function canEnd({ name, sessionHash }: Caller): boolean {
  return sessionHash !== null || (name !== null && name !== BOOTSTRAP);
}

/** The answer to a caller that names what it may not see: as if it did not exist. */
export class OutOfScope extends FdsError {
  /**
   * @param answer the one that it gets where there is nothing
   * @param clientId whose it is, for the audit
   */
  constructor(
    answer: FdsError,
    readonly clientId: string,
  ) {
    super(answer.code, answer.message);
  }
}
