import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { connect } from "node:tls";
import { UsageError } from "../../util/flags.ts";
import type { ServerTls } from "../config.ts";

/**
 * Ciphers for TLS 1.2: with forward secrecy (ECDHE) and authenticated encryption (AEAD) only. The runtime's
 * default list also has CBC, and RSA without forward secrecy. TLS 1.3 has no such ciphers, and the runtime
 * does not support versions before 1.2.
 */
const CIPHERS = ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"]
  .flatMap((cipher) => [`ECDHE-ECDSA-${cipher}`, `ECDHE-RSA-${cipher}`])
  .join(":");

/** Time limit of a test handshake of the server with itself, in ms; it takes a few. */
const HANDSHAKE_MS = 5_000;

/**
 * Reads the PEM files for Bun.serve, and tests them: an empty or half-written file may look right until the
 * first connection.
 * @throws UsageError when they are no certificate and key, do not belong together, or do not work
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

/** Tests whether a client can connect with a certificate. @throws Error when it cannot */
async function shakeHands(tls: { cert: string; key: string; ciphers: string }): Promise<void> {
  const fetch = () => new Response(null, { status: 404 });
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, development: false, tls, fetch });
  const shown = Promise.withResolvers<string>();
  const socket = connect({ host: "127.0.0.1", port: server.port, rejectUnauthorized: false });
  const fail = (reason: string) => () => shown.reject(new Error(reason));
  socket
    .on("secureConnect", () => shown.resolve(socket.getPeerCertificate().fingerprint256))
    .on("error", shown.reject)
    .on("close", fail("the handshake with it broke off"))
    .setTimeout(HANDSHAKE_MS, fail("the handshake with it did not end"));
  try {
    if ((await shown.promise) === new X509Certificate(tls.cert).fingerprint256) return;
    throw new Error("another certificate was shown");
  } finally {
    socket.destroy();
    await server.stop(true);
  }
}

/** Checks for cut-off certificates, of which the runtime uses what comes before. @throws Error */
function requireCertificates(pem: string, file: string): void {
  const begun = pem.split("-----BEGIN ").length - 1;
  const blocks = pem.match(/-----BEGIN ([^-]+)-----[^-]+-----END \1-----/g) ?? [];
  const certificates = blocks.map((block) => new X509Certificate(block));
  if (certificates.length === 0) throw new Error(`there is no certificate in "${file}"`);
  if (certificates.length < begun) throw new Error(`a certificate in "${file}" has no end`);
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
