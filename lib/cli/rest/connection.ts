import * as z from "zod";
import { exposedFiles } from "../../util/exposed-files.ts";
import { type Flag, type ParsedFlags, readSetting } from "../../util/flags.ts";
import { isLoopback } from "../../util/loopback.ts";
import { type Kind, READABLE_FILE, TOKEN, wholeNumber } from "../../util/kinds.ts";
import type { Environment } from "../../util/settings.ts";
import type { ServerConnection } from "./transport.ts";

/** Command-line flags that name the server and the token. */
export const CONNECTION_FLAGS = {
  server: { type: "string" },
  token: { type: "string" },
} as const satisfies Record<string, Flag>;

export const CONNECTION_FLAGS_HELP = `  --server URL, SERVER_URL
      address of the server (default: http://localhost:8080, or SERVER_PORT in place of 8080)
  --token TOKEN, API_TOKEN
      what the server's API asks for; rather set it in the environment, as other users
      of this machine can see flags
  TLS_CA, TLS_CLIENT_CERT, TLS_CLIENT_KEY
      PEM files, for a server whose certificate is not public or that asks for one`;

const ADDRESS: Kind<string> = {
  schema: z.string().transform(addressOf).pipe(z.string()),
  expected: 'an address such as "https://files.example.com", without a password, "?" or "#"',
};

/**
 * Reads which server to call, with which token and certificates.
 * @param values values of {@link CONNECTION_FLAGS}, which override the environment
 * @throws UsageError that names the setting, the expected value, and the given value unless it is secret
 */
export function readConnection(values: ParsedFlags["values"], env: Environment): ServerConnection {
  const token =
    read("--token", values["token"], TOKEN) ?? read("API_TOKEN", env["API_TOKEN"], TOKEN);
  const ca = read("TLS_CA", env["TLS_CA"], READABLE_FILE);
  const cert = read("TLS_CLIENT_CERT", env["TLS_CLIENT_CERT"], READABLE_FILE);
  const key = read("TLS_CLIENT_KEY", env["TLS_CLIENT_KEY"], READABLE_FILE);
  const namedServer =
    read("--server", values["server"], ADDRESS) ?? read("SERVER_URL", env["SERVER_URL"], ADDRESS);
  const pinned = namedServer === null && ca === null ? env["TLS_CERT"] : undefined;
  return {
    server: namedServer ?? localAddress(env),
    ...(token !== null && { token }),
    tls: {
      ...(ca && { ca }),
      ...(cert && { cert }),
      ...(key && { key }),
      ...(pinned && { pinned }),
    },
  };
}

/**
 * Returns a warning where a token would be sent unencrypted over a network. null means that there is no
 * token, that the token is protected, or that `INSECURE` permits clear text.
 */
export function clearTextWarning(
  { server, token }: ServerConnection,
  env: Environment,
): string | null {
  const { protocol, hostname } = new URL(server);
  if (token === undefined || protocol === "https:" || isLoopback(hostname)) return null;
  if (env["INSECURE"] === "true") return null;
  return `warning: the token goes to "${hostname}" without encryption, use https (INSECURE=true: the way is safe)`;
}

/** Returns warnings about an insecure connection, to be printed before the first call. */
export async function connectionWarnings(
  connection: ServerConnection,
  env: Environment,
): Promise<string[]> {
  const clearText = clearTextWarning(connection, env);
  const exposed = await exposedFiles(connection.tls?.key ?? null);
  return [
    ...(clearText === null ? [] : [clearText]),
    ...exposed.map((sentence) => `warning: ${sentence}`),
  ];
}

/** Reports whether a flag or the environment names the server. */
export function namesServer(values: ParsedFlags["values"], env: Environment): boolean {
  return Boolean(values["server"] ?? env["SERVER_URL"]);
}

/**
 * Returns the address of a server on this machine that was started with the same environment as this program.
 */
function localAddress(env: Environment): string {
  const port = read("SERVER_PORT", env["SERVER_PORT"], wholeNumber(1, 65_535)) ?? 8080;
  return `${env["TLS_CERT"] ? "https" : "http"}://${localName(env["SERVER_HOST"] ?? "")}:${port}`;
}

/** Returns the host name by which programs on the same machine reach a server that listens on `host`. */
function localName(host: string): string {
  if (["", "0.0.0.0", "::", "127.0.0.1", "::1"].includes(host)) return "localhost";
  return host.includes(":") ? `[${host}]` : host;
}

/**
 * Reads a flag or an environment variable.
 * @returns null where the setting was not given; an empty variable counts as not given
 */
function read<T>(source: string, value: ParsedFlags["values"][string], kind: Kind<T>): T | null {
  if (value === undefined || (value === "" && !source.startsWith("--"))) return null;
  const secret = kind.expected === TOKEN.expected;
  return readSetting({ source, text: String(value), secret }, kind.schema, kind.expected);
}

/**
 * Returns a server's address with http or https. A ws or wss address, as clients use it, is converted.
 * @returns null for an invalid address
 */
function addressOf(text: string): string | null {
  const url = URL.parse(text);
  if (!url || !/^(?:http|ws)s?:$/.test(url.protocol)) return null;
  if (url.username || url.password || url.search || url.hash) return null;
  url.protocol = url.protocol.replace("ws", "http");
  return url.href.replace(/\/+$/, "");
}
