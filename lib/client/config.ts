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

/** How the client verifies the server, and proves itself to it. */
export interface ClientTls extends TlsPaths {
  /** Pins: the server's public key must be one of these. Empty: any trusted certificate will do. */
  pins: string[];
}

/** Settings that {@link configOf} turns into other values. */
const MADE_INTO_OTHERS = [
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

/** All settings of the client, by the names of the table in settings.ts. */
export type ClientConfig = ReturnType<typeof configOf>;

export const CLIENT_HELP = `Usage: ${howToRun("client")} --id ID [flags]

Serves the files of its roots to one server. "${howToRun("client")} doctor" with the same flags says what
is wrong, and what to do. Flags override the file of --config, and that overrides the
environment${ENVIRONMENT_NOTE}.
${serviceNote("client")}
${describeSettings(CLIENT_SETTINGS)}
`;

/** The program's surroundings that settings depend on. */
interface Surroundings {
  env: Environment;
  /** Whether a person sees the log as it is written. */
  isTerminal: boolean;
  /** Whether a path exists. */
  exists: (path: string) => boolean;
}

/**
 * Reads the client's flags and environment.
 * @param argv without the program's name
 * @param isTerminal whether a person sees the log as it is written
 * @param exists whether a path exists
 * @returns "help" when that is what was asked for
 * @throws UsageError that names the setting, the value (but no secret) and what was expected
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

/** The settings that are used as they are, and the values that are made of the others. */
function configOf(settings: ClientSettings, { env, isTerminal, exists }: Surroundings) {
  const id = settings.read("id");
  const serverUrl = readServerUrl(settings);
  const roots = readRoots(settings, id, exists);
  return {
    ...settings.readAllBut(...MADE_INTO_OTHERS),
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
 * Refuses an unencrypted connection unless it is explicitly allowed: key and files could be read on the
 * way.
 */
function readServerUrl(settings: ClientSettings): URL {
  const url = settings.read("serverUrl");
  const isInsecure = url.protocol === "ws:" && !isLoopback(url.hostname);
  if (!isInsecure || settings.read("isInsecure")) return url;
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
