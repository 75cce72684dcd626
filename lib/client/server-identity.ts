import { createHash, X509Certificate } from "node:crypto";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import type { TlsPems } from "./tls-files.ts";

/** A pinned public key in the form of curl's --pinnedpubkey: `sha256//` and 44 characters of base64. */
export const PIN_PATTERN = /^sha256\/\/[A-Za-z0-9+/]{43}=$/;

/** Returns the pin of a certificate's public key, in the form of curl's --pinnedpubkey. */
export function pinOf(certificate: X509Certificate): string {
  const key = certificate.publicKey.export({ type: "spki", format: "der" });
  return `sha256//${createHash("sha256").update(key).digest("base64")}`;
}

/**
 * Checks that a trusted certificate has the server's name and, if there are pins, a pinned public key. A pin
 * stays valid when a certificate is renewed with the same key.
 * @returns why the server is not the right one; undefined if it is
 */
export function checkIdentity(
  host: string,
  certificate: PeerCertificate,
  pins: readonly string[],
): Error | undefined {
  const nameError = checkServerIdentity(host, certificate);
  if (nameError || pins.length === 0) return nameError;
  const pin = pinOf(new X509Certificate(certificate.raw));
  if (pins.includes(pin)) return undefined;
  return new Error(`the server's public key is ${pin}, which TLS_PIN does not name`);
}

/**
 * Returns the TLS options for a connection to the server: trusted certificates, pins, and the client's own
 * certificate.
 */
export function tlsOptionsOf(pems: TlsPems, pins: readonly string[]) {
  return {
    ...pems,
    checkServerIdentity: (host: string, certificate: PeerCertificate) =>
      checkIdentity(host, certificate, pins),
  };
}
