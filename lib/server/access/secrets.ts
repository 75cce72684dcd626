import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

const SECRET_BYTES = 32;

/** A new secret of 256 random bits, with a prefix by which scanners find leaked ones. */
export function newSecret(kind: string): string {
  return `${kind}_${randomBytes(SECRET_BYTES).toString("base64url")}`;
}

/** The hash of a secret, which is all that the server stores: SHA-256, hex. */
export function hashSecret(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

/** Compares two secrets in a time that says nothing about where they differ, or how long they are. */
export function sameSecret(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(hashSecret(a)), Buffer.from(hashSecret(b)));
}
