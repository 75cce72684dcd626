import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { connect } from "node:tls";
import { UsageError } from "../../util/flags.ts";
import type { ServerTls } from "../config.ts";

/**
 * TLS 1.2 ciphers with forward secrecy (ECDHE) and authenticated encryption (AEAD). The runtime's default
 * list also has CBC ciphers, and RSA without forward secrecy. TLS 1.3 has only safe ciphers, and the runtime
 * supports no version before 1.2.
 */
const CIPHERS = ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"]
  .flatMap((cipher) => [`ECDHE-ECDSA-${cipher}`, `ECDHE-RSA-${cipher}`])
  .join(":");

/** Time limit in ms for a test handshake of the server with itself, which normally takes a few ms. */
const HANDSHAKE_MS = 5_000;

/**
 * Reads the PEM files for Bun.serve, and tests them by a handshake. An empty or half-written file may cause
 * no error before the first connection.
 * @throws UsageError if the files hold no certificate and key, do not belong together, or do not work
 */
export async function readCertificate({ cert, key, clientCa }: ServerTls): Promise<Bun.TLSOptions> {
  try {
    const pem = {
      ciphers: CIPHERS,
      cert: await readFile(cert, "utf8"),
      key: await readFile(key, "utf8"),
    };
    await shakeHands(pem);
    if (clientCa === null) return pem;
    const ca = await readFile(clientCa, "utf8");
    requireCertificates(ca, clientCa);
    return { ...pem, ca, requestCert: true, rejectUnauthorized: true };
  } catch (cause) {
    const files = [cert, key, ...(clientCa === null ? [] : [clientCa])];
    const names = files.map((file) => `"${file}"`).join(", ");
    const message = `check the PEM files ${names}: they cannot be used (${reasonOf(cause)})`;
    throw new UsageError(message, { cause });
  }
}

/**
 * Tests whether a TLS client can connect to a server with this certificate.
 * @throws Error if the handshake fails, or another certificate is shown
 */
async function shakeHands(tls: { cert: string; key: string; ciphers: string }): Promise<void> {
  const fetch = () => new Response(null, { status: 404 });
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, development: false, tls, fetch });
  const fingerprint = Promise.withResolvers<string>();
  const socket = connect({ host: "127.0.0.1", port: server.port, rejectUnauthorized: false });
  const fail = (reason: string) => () => fingerprint.reject(new Error(reason));
  socket
    .on("secureConnect", () => fingerprint.resolve(socket.getPeerCertificate().fingerprint256))
    .on("error", fingerprint.reject)
    .on("close", fail("the handshake with it broke off"))
    .setTimeout(HANDSHAKE_MS, fail("the handshake with it did not end"));
  try {
    if ((await fingerprint.promise) === new X509Certificate(tls.cert).fingerprint256) return;
    throw new Error("another certificate was shown");
  } finally {
    socket.destroy();
    await server.stop(true);
  }
}

/**
 * Checks that every certificate in a PEM file is complete. The runtime would silently ignore one that is cut
 * off.
 * @throws Error if a certificate is incomplete, or the file contains none
 */
function requireCertificates(pem: string, file: string): void {
  const beginCount = pem.split("-----BEGIN ").length - 1;
  const blocks = pem.match(/-----BEGIN ([^-]+)-----[^-]+-----END \1-----/g) ?? [];
  const certificates = blocks.map((block) => new X509Certificate(block));
  if (certificates.length === 0) throw new Error(`there is no certificate in "${file}"`);
  if (certificates.length < beginCount) throw new Error(`a certificate in "${file}" has no end`);
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
