import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Check, Finding } from "../../util/checkup.ts";
import { isLoopback } from "../../util/loopback.ts";
import type { ServerConfig } from "../config.ts";
import { readCertificate } from "../http/certificate.ts";

const DAY_MS = 86_400_000;
/** A certificate with fewer days left than this is reported, as most are renewed a month before they end. */
const SOON_DAYS = 14;

/** Makes the check of the server's certificate: its dates, names and issuer. */
export function certificateCheck({ tls, host }: ServerConfig): Check {
  return { name: "certificate", run: () => checkCertificate(tls, host) };
}

async function checkCertificate(tls: ServerConfig["tls"], host: string): Promise<Finding> {
  if (tls === null) {
    const exposed =
      "none: a proxy before the server has to have one, as others than this machine reach it";
    return {
      status: "not_needed",
      text: isLoopback(host) ? "none, for this machine alone" : exposed,
    };
  }
  await readCertificate(tls);
  const certificate = new X509Certificate(await readFile(tls.cert));
  const { subject, subjectAltName, issuer, validFrom, validTo } = certificate;
  const names = subjectAltName ?? subject;
  const days = Math.floor((Date.parse(validTo) - Date.now()) / DAY_MS);
  const signer = issuer === subject ? "itself" : issuer.replaceAll("\n", ", ");
  const text = `for ${names}, signed by ${signer}, until ${dayOf(validTo)}`;
  if (Date.parse(validFrom) > Date.now()) {
    return { status: "wrong", text: `${text}, but only from ${dayOf(validFrom)} on` };
  }
  const renew = "renew it, put the new files in place, and send the server SIGHUP";
  if (days < 0) return { status: "wrong", text: `it has ended: ${text}`, advice: renew };
  if (days < SOON_DAYS) return { status: "wrong", text: `${text}, in ${days} days`, advice: renew };
  return { status: "ok", text: `${text}, in ${days} days` };
}

function dayOf(text: string): string {
  return new Date(text).toISOString().slice(0, 10);
}
