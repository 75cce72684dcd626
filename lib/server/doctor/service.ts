import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect as connectTcp, createServer } from "node:net";
import { connect } from "node:tls";
import { ClientList, Health } from "../../api/schemas.ts";
import type { Check, Finding } from "../../util/checkup.ts";
import { howToRun } from "../../util/build.ts";
import { systemCode } from "../../util/system-error.ts";
import type { ServerConfig } from "../config.ts";

/** A client that was last seen longer ago than this, in ms, is reported. */
const UNSEEN_MS = 86_400_000;

/** Maximum number of client ids in a line of the report. */
const MAX_NAMES = 5;

/** Checks of the running server, and of clients that were not seen for long. */
export class ServiceChecks {
  #isRunning = false;

  constructor(private readonly config: ServerConfig) {}

  get port(): Check {
    return { name: "port", run: (signal) => this.#checkPort(signal) };
  }

  get sites(): Check {
    return { name: "sites", needs: ["port"], run: (signal) => this.#checkSites(signal) };
  }

  async #checkPort(signal: AbortSignal): Promise<Finding> {
    const { host, port, tls } = this.config;
    if (port === 0) return { status: "not_needed", text: "any free one" };
    if (!(await isListening(ownHost(host), port, signal))) {
      const flaw = await flawOfListening(host, port);
      // The user that runs the server may be allowed to use a port that gives EACCES to the user of the
      // doctor.
      const isFree = flaw === null || flaw === "EACCES";
      return {
        status: "wrong",
        text: `the server does not run: nobody listens on port ${port}${isFree ? "" : ` (${flaw})`}`,
        advice: isFree ? `start it: ${howToRun("server")}` : "check SERVER_HOST and SERVER_PORT",
      };
    }
    if (tls?.clientCa != null) {
      const text = `port ${port} is in use; who it is asks for a client's certificate`;
      return { status: "not_needed", text };
    }
    if (tls !== null && !(await showsCertificate(ownHost(host), port, tls.cert, signal))) {
      return {
        status: "wrong",
        text: `what listens on port ${port} shows another certificate than TLS_CERT`,
        advice: "if it is the server, send it SIGHUP, which makes it read the new one",
      };
    }
    const answer = await this.#ask("/health", null, signal).catch(() => null);
    if (answer?.status === 503) {
      return {
        status: "wrong",
        text: "the server runs, but its database or its storage is away",
        advice: "transfers wait, and go on once it is back: look above, and into its log",
      };
    }
    const health = Health.safeParse(await answer?.json().catch(() => null));
    if (!health.success) {
      const advice = "stop the other program, or pass --port";
      return { status: "wrong", text: `another program listens on port ${port}`, advice };
    }
    this.#isRunning = true;
    const { version, connected_clients, active_downloads } = health.data;
    const counts = `sites connected: ${connected_clients}, downloads under way: ${active_downloads}`;
    const text = `the server runs, version ${version}; ${counts}`;
    return { status: "ok", text };
  }

  async #checkSites(signal: AbortSignal): Promise<Finding> {
    if (!this.#isRunning) return { status: "not_needed", text: "not asked for" };
    const answer = await this.#ask("/api/clients", this.config.apiToken, signal);
    if (answer.status !== 200) {
      return {
        status: "wrong",
        text: `the server that runs does not take this API_TOKEN (${answer.status})`,
        advice: "it was started with another one: give this the same settings",
      };
    }
    const { clients } = ClientList.parse(await answer.json());
    const registered = clients.filter(({ revoked_at }) => revoked_at === null);
    const limit = Date.now() - UNSEEN_MS;
    const unseen = registered.filter(
      ({ connected, last_seen_at }) => !connected && Date.parse(last_seen_at ?? "") < limit,
    );
    if (registered.length === 0) return { status: "not_needed", text: "none ever registered" };
    if (unseen.length === 0) {
      return { status: "ok", text: `${registered.length}, each seen within a day` };
    }
    const names = unseen
      .slice(0, MAX_NAMES)
      .map(({ client_id, last_seen_at }) => `${client_id} (${last_seen_at?.slice(0, 10)})`);
    const more = unseen.length > names.length ? ` and ${unseen.length - names.length} more` : "";
    return {
      status: "wrong",
      text: `not seen for a day: ${names.join(", ")}${more}`,
      advice: `on a site's machine, "fds client doctor" says why; a site that is gone for good: ${howToRun("fds")} revoke CLIENT`,
    };
  }

  /**
   * Calls the server on this machine, over TLS if it has a certificate. The check of the port has already
   * compared the server's certificate with the one in the file.
   */
  #ask(path: string, token: string | null, signal: AbortSignal): Promise<Response> {
    const { host, port, tls } = this.config;
    const address = ownHost(host);
    const name = address.includes(":") ? `[${address}]` : address;
    return fetch(`${tls === null ? "http" : "https"}://${name}:${port}${path}`, {
      signal,
      redirect: "error",
      proxy: false,
      ...(token !== null && { headers: { Authorization: `Bearer ${token}` } }),
      // The certificate is for the server's public name, and this call goes to a local address.
      ...(tls !== null && { tls: { rejectUnauthorized: false } }),
    });
  }
}

/** The address at which this machine reaches its own server. A wildcard address becomes loopback. */
function ownHost(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  return host === "::" ? "::1" : host;
}

/** Reports whether the program that listens at a port presents the certificate in a file. */
async function showsCertificate(
  host: string,
  port: number,
  file: string,
  signal: AbortSignal,
): Promise<boolean> {
  const { fingerprint256 } = new X509Certificate(await readFile(file));
  const socket = connect({ host, port, rejectUnauthorized: false });
  try {
    await once(socket, "secureConnect", { signal });
    return socket.getPeerCertificate().fingerprint256 === fingerprint256;
  } catch {
    return false;
  } finally {
    socket.on("error", () => undefined).destroy();
  }
}

async function isListening(host: string, port: number, signal: AbortSignal): Promise<boolean> {
  const socket = connectTcp({ host, port });
  try {
    await once(socket, "connect", { signal });
    return true;
  } catch {
    return false;
  } finally {
    socket.on("error", () => undefined).destroy();
  }
}

/** Tries to listen at a port. @returns the system's error code; null: the port can be used */
async function flawOfListening(host: string, port: number): Promise<string | null> {
  const server = createServer();
  const done = Promise.withResolvers<string | null>();
  server.on("error", (error) => done.resolve(systemCode(error) ?? String(error)));
  server.listen({ host, port, exclusive: true }, () => done.resolve(null));
  const flaw = await done.promise;
  if (flaw === null) server.close();
  return flaw;
}
