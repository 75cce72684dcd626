import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { UsageError } from "../../util/flags.ts";
import type { ServerTls } from "../config.ts";

/**
 * Reads the PEM files as they are now, for Bun.serve.
 * @throws UsageError when they are no certificate and key, or do not belong together
 */
export async function readCertificate({ cert, key, clientCa }: ServerTls): Promise<Bun.TLSOptions> {
  try {
    const pem = {
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
