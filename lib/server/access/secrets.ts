import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

const SECRET_BYTES = 32;

/** Makes a secret of 256 random bits. Its prefix `kind` lets scanners recognize a leaked secret. */
export function newSecret(kind: string): string {
  return `${kind}_${randomBytes(SECRET_BYTES).toString("base64url")}`;
}

/** Returns the SHA-256 of a secret in hex. The server stores only this hash. */
export function hashSecret(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

/** Compares two secrets. The time it takes does not depend on their lengths or on where they differ. */
export function sameSecret(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(hashSecret(a)), Buffer.from(hashSecret(b)));
}
