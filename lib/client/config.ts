import { ENVIRONMENT_NOTE, howToRun, serviceNote } from "../util/build.ts";
import { UsageError } from "../util/flags.ts";
import { defaultLogFormat } from "../util/log-settings.ts";
import { isLoopback } from "../util/loopback.ts";
import { describeSettings, type Environment, Settings } from "../util/settings.ts";
import { systemTimeZone } from "../util/time-zone.ts";
import { proxyFor } from "./proxy.ts";
import { CLIENT_SETTINGS } from "./settings.ts";
import type { TlsPaths } from "./tls-files.ts";

type ClientSettings = Settings<typeof CLIENT_SETTINGS>;

/** How the client verifies the server by TLS, and authenticates itself. */
export interface ClientTls extends TlsPaths {
  /**
   * Pins of public keys. The server's certificate must have one of these keys. If there are no pins, any
   * trusted certificate is accepted.
   */
  pins: string[];
}

/** Settings from which {@link configOf} derives other values. */
const PROCESSED_SETTINGS = [
  "serverUrl",
  "isInsecure",
  "roots",
  "rateLimit",
  "timeZone",
  "stateDir",
  "tlsCa",
  "tlsPins",
  "tlsCert",
  "tlsKey",
  "httpsProxy",
  "httpProxy",
  "noProxy",
  "logFormat",
] as const;

/**
 * The client's configuration: settings that are used unchanged, under their names in settings.ts, and values
 * that are derived from the other settings.
 */
export type ClientConfig = ReturnType<typeof configOf>;

export const CLIENT_HELP = `Usage: ${howToRun("client")} --id ID [flags]

Serves the files of its roots to one server. "${howToRun("client")} doctor" with the same flags says what
is wrong, and what to do. Flags override the file of --config, and that overrides the
environment${ENVIRONMENT_NOTE}.
${serviceNote("client")}
${describeSettings(CLIENT_SETTINGS)}
`;

/** The environment on which default values depend. */
interface Surroundings {
  env: Environment;
  /** Whether the log is written to a terminal. */
  isTerminal: boolean;
  /** Reports whether a path exists. */
  exists: (path: string) => boolean;
}

/**
 * Reads the client's configuration from flags and environment variables.
 * @param argv the command line's arguments, without the program's name
 * @param isTerminal whether the log is written to a terminal
 * @param exists reports whether a path exists
 * @returns the configuration; "help" if the flags ask for the help text
 * @throws UsageError if a flag is unknown, or if a setting is missing or invalid
 */
export function readClientConfig(
  argv: string[],
  env: Environment,
  isTerminal: boolean,
  exists: (path: string) => boolean,
): ClientConfig | "help" {
  const settings = new Settings(CLIENT_SETTINGS, argv, env);
  return settings.helpWanted ? "help" : configOf(settings, { env, isTerminal, exists });
}

/**
 * Returns the client's configuration: some settings unchanged, and values that are derived from the others.
 */
function configOf(settings: ClientSettings, { env, isTerminal, exists }: Surroundings) {
  const id = settings.read("id");
  const serverUrl = readServerUrl(settings);
  const roots = readRoots(settings, id, exists);
  return {
    ...settings.readAllBut(...PROCESSED_SETTINGS),
    serverUrl,
    roots,
    timeZone: settings.read("timeZone") ?? systemTimeZone(env["TZ"]),
    rates: settings.read("rateLimit") ?? [],
    stateDir: settings.read("stateDir") ?? `./.client-state/${id}`,
    tls: readTls(settings),
    proxy: proxyFor(serverUrl, env),
    logFormat: settings.read("logFormat") ?? defaultLogFormat(isTerminal),
  };
}

/**
 * Returns the server's URL. Refuses a connection without TLS to another machine unless --insecure is given,
 * because others could read the key and the files.
 * @throws UsageError if the URL is invalid, or if the connection is refused
 */
function readServerUrl(settings: ClientSettings): URL {
  const url = settings.read("serverUrl");
  const isUnprotected = url.protocol === "ws:" && !isLoopback(url.hostname);
  if (!isUnprotected || settings.read("isInsecure")) return url;
  throw new UsageError(
    `use https:// for the server "${url.host}", or pass --insecure: without TLS anyone on the way can read the files and the client's key`,
  );
}

function readRoots(
  settings: ClientSettings,
  id: string,
  exists: (path: string) => boolean,
): string[] {
  const roots = settings.read("roots");
  if (roots.length > 0) return roots;
  const fallback = `./test-files/${id}`;
  if (exists(fallback)) return [fallback];
  throw new UsageError(
    `no folder to serve: pass --root FOLDER or set CLIENT_ROOTS, as there is no "${fallback}"`,
  );
}

function readTls(settings: ClientSettings): ClientTls {
  const ca = settings.read("tlsCa");
  const cert = settings.read("tlsCert");
  const key = settings.read("tlsKey");
  const pins = settings.read("tlsPins");
  if ((cert === null) === (key === null)) return { ca, pins, cert, key };
  const missing = cert === null ? "TLS_CLIENT_CERT" : "TLS_CLIENT_KEY";
  throw new UsageError(`${missing} is missing, set TLS_CLIENT_CERT and TLS_CLIENT_KEY together`);
}
