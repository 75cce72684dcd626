import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { UsageError } from "../../util/flags.ts";
import type { ServerTls } from "../config.ts";

/**
 * What TLS 1.2 may use: keys that are forgotten after the connection (ECDHE), and encryption that
 * proves itself (AEAD). The runtime's own list also has CBC, and RSA without forward secrecy. TLS 1.3
 * has nothing else, and what is older than 1.2 the runtime does not speak.
 */
const CIPHERS = ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"]
  .flatMap((cipher) => [`ECDHE-ECDSA-${cipher}`, `ECDHE-RSA-${cipher}`])
  .join(":");

/**
 * Reads the PEM files as they are now, for Bun.serve.
 * @throws UsageError when they are no certificate and key, or do not belong together
 */
export async function readCertificate({ cert, key, clientCa }: ServerTls): Promise<Bun.TLSOptions> {
  try {
    const pem = {
      ciphers: CIPHERS,
      cert: await readFile(cert, "utf8"),
      key: await readFile(key, "utf8"),
      ...(clientCa !== null && { ca: await readFile(clientCa, "utf8") }),
    };
    createSecureContext(pem);
    return { ...pem, ...(clientCa !== null && { requestCert: true, rejectUnauthorized: true }) };
  } catch (cause) {
    const files = [cert, key, ...(clientCa === null ? [] : [clientCa])];
    const names = files.map((file) => `"${file}"`).join(", ");
    const message = `check the PEM files ${names}: they cannot be used (${reasonOf(cause)})`;
    throw new UsageError(message, { cause });
  }
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
