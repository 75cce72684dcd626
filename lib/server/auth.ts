import { createHash, timingSafeEqual } from "node:crypto";
import { FdsError } from "../protocol/errors.ts";
import type { Register } from "../protocol/messages.ts";
import type { Client } from "./database/repository.ts";

/** What the server keeps of a secret: its SHA-256, hex. */
export function hashSecret(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

/** Compares in a time that tells nothing of where two secrets differ, nor of their lengths. */
export function sameSecret(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(hashSecret(a)), Buffer.from(hashSecret(b)));
}

export interface Admission {
  /** When the id was bound to the key, or null where it is not. */
  enrolledAt: number | null;
  /** The key hash that the registration takes the place of. */
  replaces: string | null;
}

/**
 * Whether a client may register (CONTRACT, "Who gets in"). An enrolled id belongs to its key for
 * good. An id that never enrolled needs the enrolment token, or, where the server has none, only
 * that no other key is connected under it.
 * @param known the client's row, if there is one
 * @param connected true while a connection of this id is open
 * @throws FdsError `key_mismatch`, `enrolment_required` or `id_in_use`
 */
export function admit(
  register: Register,
  known: Client | null,
  connected: boolean,
  enrollToken: string | null,
  now: number,
): Admission {
  const keyHash = hashSecret(register.key);
  const replaces = known?.keyHash ?? null;
  const sameKey = known !== null && sameSecret(known.keyHash, keyHash);
  if (known && known.enrolledAt !== null) {
    if (sameKey) return { enrolledAt: known.enrolledAt, replaces };
    throw new FdsError("key_mismatch", `"${register.client_id}" belongs to another key`);
  }
  if (enrollToken === null) {
    if (connected && !sameKey) {
      throw new FdsError("id_in_use", `another client is connected as "${register.client_id}"`);
    }
    return { enrolledAt: null, replaces };
  }
  if (register.enroll_token === undefined) {
    throw new FdsError("enrolment_required", "this client has to enrol, set its ENROLL_TOKEN");
  }
  if (!sameSecret(register.enroll_token, enrollToken)) {
    throw new FdsError("enrolment_required", "ENROLL_TOKEN is not the server's");
  }
  return { enrolledAt: now, replaces };
}
