import { connect, type PeerCertificate, type TLSSocket } from "node:tls";
import type { Check, Finding } from "../../util/checkup.ts";
import { isLoopback } from "../../util/loopback.ts";
import type { ClientConfig } from "../config.ts";
import { checkIdentity } from "../server-identity.ts";
import { TlsFiles, type TlsPems } from "../tls-files.ts";
import { checkOwnCertificate } from "./own-certificate.ts";
import { waitUntilConnected, openTcp, openTunnel, hostPortOf, serverName } from "./way.ts";

type ConnectionConfig = Pick<ClientConfig, "serverUrl" | "proxy" | "tls">;

const DAY_MS = 86_400_000;
/** If a certificate is valid for fewer days than this, the check advises to renew it. */
const RENEWAL_NOTICE_DAYS = 14;

/**
 * Returns the doctor's check of the server's certificate, and of whether the server accepts the client's
 * certificate.
 */
export function tlsChecks(config: ConnectionConfig): Check[] {
  return [
    { name: "TLS", needs: ["connection", "proxy"], run: (signal) => checkTls(config, signal) },
  ];
}

async function checkTls(config: ConnectionConfig, signal: AbortSignal): Promise<Finding> {
  const { serverUrl, tls } = config;
  if (serverUrl.protocol !== "wss:") {
    const text = isLoopback(serverUrl.hostname)
      ? "not used, the server is on this machine"
      : "not used: whoever is on the way can read the files and the key";
    return { status: "not_needed", text };
  }
  const pems = await TlsFiles.readOnce(tls);
  const socket = await handshake(config, pems, signal).catch((error: unknown) => {
    if (signal.aborted) return "nothing is answered to TLS";
    return error instanceof Error ? error.message : String(error);
  });
  if (typeof socket === "string") return handshakeFailure(socket);
  try {
    const server = checkServer(socket, config);
    if (server.status === "wrong") return server;
    return (await checkOwnCertificate(socket, config, signal)) ?? server;
  } finally {
    socket.destroy();
  }
}

/** Checks whether the certificate proves that this is the right server. */
function checkServer(socket: TLSSocket, { serverUrl, tls }: ConnectionConfig): Finding {
  const certificate = socket.getPeerCertificate();
  const problem = socket.authorizationError;
  const { host } = hostPortOf(serverUrl);
  const description = describe(certificate);
  const reason = problem ? String(problem) : "";
  const flaw = flawOf(reason, host, certificate, tls.ca !== null);
  if (flaw) return { status: "wrong", text: flaw.text, advice: flaw.advice };
  const identityError = checkIdentity(host, certificate, tls.pins);
  if (identityError) {
    return {
      status: "wrong",
      text: identityError.message,
      advice:
        "ask whoever runs the server whether that is its new key, and only then put it into TLS_PIN: else somebody is in between",
    };
  }
  const days = Math.floor((Date.parse(certificate.valid_to) - Date.now()) / DAY_MS);
  const pinned = tls.pins.length === 0 ? "" : ", its key is in TLS_PIN";
  const text = `${description}, for ${days} more days${pinned}`;
  if (days >= RENEWAL_NOTICE_DAYS) return { status: "ok", text };
  return {
    status: "ok",
    text,
    advice: "tell whoever runs the server that it has to be renewed soon",
  };
}

/**
 * Opens a TLS connection as the client does, but accepts any certificate, so that the check can say what is
 * wrong with the certificate.
 */
async function handshake(
  config: ConnectionConfig,
  pems: TlsPems,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const server = hostPortOf(config.serverUrl);
  const plain =
    config.proxy === null
      ? await openTcp(server, signal)
      : (await openTunnel(new URL(config.proxy), server, pems, signal)).socket;
  const options = { ...pems, ...serverName(server.host), rejectUnauthorized: false };
  const socket = connect({ socket: plain, ...options });
  await waitUntilConnected(socket, "secureConnect", signal);
  return socket;
}

function handshakeFailure(reason: string): Finding {
  return {
    status: "wrong",
    text: `what answers there does not speak TLS, or ends it (${reason})`,
    advice:
      "check the port in SERVER_URL, and whether the server wants a client's certificate (TLS_CLIENT_CERT)",
  };
}

interface Flaw {
  text: string;
  advice: string;
}

/**
 * Describes what is wrong with a certificate; null if it is trusted.
 * @param reason OpenSSL's error code; "" if the certificate is trusted
 */
function flawOf(
  reason: string,
  host: string,
  certificate: PeerCertificate,
  hasCa: boolean,
): Flaw | null {
  const { valid_from, valid_to } = certificate;
  const now = `this machine's clock says ${new Date().toISOString().slice(0, 16)}Z`;
  if (/EXPIRED/i.test(reason)) {
    return {
      text: `the server's certificate ended on ${dayOf(valid_to)}; ${now}`,
      advice: "if the clock is right, tell whoever runs the server to renew it",
    };
  }
  if (/NOT_YET_VALID/i.test(reason)) {
    return {
      text: `the server's certificate begins on ${dayOf(valid_from)}; ${now}`,
      advice: "set the clock of this machine",
    };
  }
  if (/ALTNAME|HOSTNAME/i.test(reason)) {
    return {
      text: `the certificate is for ${namesOf(certificate)}, and not for "${host}"`,
      advice: "write the server's name in SERVER_URL as its certificate has it",
    };
  }
  if (reason === "") return null;
  const advice = hasCa
    ? "TLS_CA names somebody else: ask whoever runs the server for the right file"
    : "if your company signed it itself, name the company's PEM file in TLS_CA; else a proxy or a virus scanner on the way opens TLS: ask whoever runs the network here";
  const text = `nobody whom this machine trusts signed the server's certificate (${reason}): ${describe(certificate)}`;
  return { text, advice };
}

/** Describes a certificate: its names, its issuer, and the last day of its validity. */
function describe(certificate: PeerCertificate): string {
  const { issuer, valid_to } = certificate;
  const signer = [issuer?.CN, issuer?.O].flat().filter(Boolean).join(", ") || "nobody";
  return `for ${namesOf(certificate)}, signed by "${signer}", until ${dayOf(valid_to)}`;
}

function namesOf({ subject, subjectaltname }: PeerCertificate): string {
  const names = (subjectaltname ?? "")
    .split(", ")
    .flatMap((entry) => /^(?:DNS|IP Address):(.+)$/.exec(entry)?.[1] ?? []);
  const shown = names.length === 0 ? [String(subject?.CN ?? "nobody")] : names.slice(0, 3);
  const more = names.length > shown.length ? " and others" : "";
  return shown.map((name) => `"${name}"`).join(", ") + more;
}

function dayOf(text: string): string {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? "an unknown day" : date.toISOString().slice(0, 10);
}
