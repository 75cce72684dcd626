import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

const SECRET_BYTES = 32;

/** 256 random bits, after a word by which a scan for leaked secrets finds them. */
export function newSecret(kind: string): string {
  return `${kind}_${randomBytes(SECRET_BYTES).toString("base64url")}`;
}

/** What the server keeps of a secret: its SHA-256, hex. */
export function hashSecret(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

/** Compares in a time that tells nothing of where two secrets differ, nor of their lengths. */
export function sameSecret(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(hashSecret(a)), Buffer.from(hashSecret(b)));
}
