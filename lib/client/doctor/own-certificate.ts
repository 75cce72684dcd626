import type { TLSSocket } from "node:tls";
import type { Finding } from "../../util/checkup.ts";
import type { ClientConfig } from "../config.ts";
import { hostPortOf } from "./way.ts";

type ConnectionConfig = Pick<ClientConfig, "serverUrl" | "tls">;

/**
 * Checks whether the server accepts this client's certificate, or a client without one. In TLS 1.3 the
 * client's handshake ends before the server has checked this certificate, so a request is sent and its answer
 * awaited.
 * @param socket a fresh TLS connection on which nothing was sent yet
 * @returns what is wrong; null if the server answers, or if there is no answer before `signal` is aborted
 */
export async function checkOwnCertificate(
  socket: TLSSocket,
  { serverUrl, tls }: ConnectionConfig,
  signal: AbortSignal,
): Promise<Finding | null> {
  const { host } = hostPortOf(serverUrl);
  const path = serverUrl.pathname.replace(/ws$/, "health");
  const outcome = Promise.withResolvers<"answered" | "ended">();
  socket
    .once("data", () => outcome.resolve("answered"))
    .once("close", () => outcome.resolve("ended"));
  signal.addEventListener("abort", () => outcome.resolve("answered"));
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  if ((await outcome.promise) === "answered") return null;
  if (tls.cert === null) {
    return {
      status: "wrong",
      text: "the server ends the connection: it wants a certificate of this client's",
      advice:
        "ask whoever runs the server for one, and name its files in TLS_CLIENT_CERT and TLS_CLIENT_KEY",
    };
  }
  return {
    status: "wrong",
    text: `the server ends the connection: it does not take the certificate "${tls.cert}"`,
    advice: "ask whoever runs the server for one that its TLS_CLIENT_CA has signed",
  };
}
