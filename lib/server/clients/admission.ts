import { FdsError } from "../../protocol/errors.ts";
import type { Introduction } from "../../protocol/messages.ts";
import type { RegisteredClient } from "../database/repository.ts";
import { flawOf } from "./enrolment.ts";
import type { EnrolmentKey } from "../access/rows.ts";
import { hashSecret, sameSecret } from "../access/secrets.ts";

/** The credentials with which a client may enrol. */
export interface Enrolment {
  /** The ENROLL_TOKEN of the settings; null: a client whose id is not enrolled needs no token. */
  token: string | null;
  /** The enrolment key that the client sent, valid or not; null: it sent none. */
  key: EnrolmentKey | null;
}

export interface Admission {
  /** SHA-256 of the client's own key, to be recorded in the client's row. */
  keyHash: string;
  /** When the client enrolled, which binds its id to its key, in ms since 1970; null: it is not enrolled. */
  enrolledAt: number | null;
  /** The enrolment key whose use has to be counted before the client is recorded; null: none is used. */
  usedKey: EnrolmentKey | null;
}

/**
 * Decides whether a client may register. An enrolled id belongs to one key, until the client itself replaces
 * the key, or a machine enrols with an enrolment key that is allowed to take over ids. A revoked id can be
 * used again only after such an enrolment. An id that never enrolled needs the ENROLL_TOKEN of the settings
 * or an enrolment key. If the settings have no ENROLL_TOKEN, such an id is refused only while a client with
 * another key is connected under the id.
 * @param previous the client's row; null: there is none
 * @param connected whether a client with this id is connected
 * @throws FdsError `key_mismatch`, `client_revoked`, `enrolment_required` or `id_in_use`
 */
export function admit(
  register: Introduction,
  previous: RegisteredClient | null,
  connected: boolean,
  { token, key }: Enrolment,
  now: number,
): Admission {
  const id = register.client_id;
  const keyHash = hashSecret(register.new_key ?? register.key);
  const sentHashes = [keyHash, hashSecret(register.key)];
  const isSameKey =
    previous !== null && sentHashes.some((hash) => sameSecret(previous.keyHash, hash));
  const flaw = key && flawOf(key, id, now);
  const enrolled = { keyHash, enrolledAt: now, usedKey: key };
  if (previous && (previous.enrolledAt !== null || previous.revokedAt !== null)) {
    if (isSameKey && previous.revokedAt === null) {
      return { keyHash, enrolledAt: previous.enrolledAt, usedKey: null };
    }
    if (!isSameKey && key?.replaces && flaw === null) return enrolled;
    if (previous.revokedAt === null) {
      throw new FdsError("key_mismatch", `"${id}" belongs to another key`);
    }
    throw new FdsError("client_revoked", `"${id}" was revoked, and so was its key`);
  }
  if (key && flaw === null) return enrolled;
  if (token === null) {
    if (connected && !isSameKey) {
      throw new FdsError("id_in_use", `another client is connected as "${id}"`);
    }
    return { keyHash, enrolledAt: null, usedKey: null };
  }
  if (register.enroll_token === undefined) {
    throw new FdsError("enrolment_required", "this client has to enrol, set its ENROLL_TOKEN");
  }
  if (!sameSecret(register.enroll_token, token)) {
    throw new FdsError("enrolment_required", flaw ?? "ENROLL_TOKEN is not the server's");
  }
  return { ...enrolled, usedKey: null };
}
