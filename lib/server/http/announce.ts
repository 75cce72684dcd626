import { howToRun } from "../../util/build.ts";
import { isLoopback } from "../../util/loopback.ts";
import type { Logger } from "../../util/logger.ts";
import { stdout } from "../../util/output.ts";
import { BOOTSTRAP_ADMIN } from "../access/caller.ts";
import type { ServerConfig } from "../config.ts";
import type { SignIn } from "./sign-in.ts";

export interface AnnounceOptions {
  port: number;
  signIn: SignIn | null;
  isTerminal: boolean;
  logger: Logger;
}

/** Logs the address of the server, and warns of unsafe settings. */
export async function announce(
  config: ServerConfig,
  { port, signIn, isTerminal, logger }: AnnounceOptions,
): Promise<void> {
  const { host, tls, apiToken, logFormat } = config;
  const scheme = tls ? "https" : "http";
  logger.announce(`listening on ${scheme}://${hostInUrl(host)}:${port}`);
  // The sign-in link is shown only to a person at a terminal. It must not be stored in a log.
  if (signIn && isTerminal && logFormat === "pretty") {
    const { code } = await signIn.newCode(BOOTSTRAP_ADMIN);
    const link = `${scheme}://${hostToOpen(host)}:${port}/#code=${code}`;
    stdout.write(`\nOpen the dashboard: ${link}\n\n`);
  } else if (signIn) {
    const command = `${howToRun("fds")} dashboard`;
    logger.info(`for a link to the dashboard, run "${command}" where API_TOKEN is set`);
  }
  if (tls === null && !isLoopback(host)) {
    logger.warn(
      "no TLS_CERT is set: tokens, keys and files can be read on the way, unless a proxy or a VPN hides them",
    );
  }
  if (apiToken === null) {
    logger.warn("no API_TOKEN is set: anyone on this machine may use the API, nobody else can");
  }
}

/**
 * Returns the host for a link. A browser cannot open a wildcard address, so `localhost` replaces the address.
 */
function hostToOpen(host: string): string {
  return host === "0.0.0.0" || host === "::" ? "localhost" : hostInUrl(host);
}

function hostInUrl(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
