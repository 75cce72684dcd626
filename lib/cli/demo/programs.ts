import { randomBytes } from "node:crypto";
import { dirname, join } from "node:path";
import type { Environment } from "../../util/settings.ts";
import { childEnvironment, type Processes } from "./processes.ts";
import type { TestFile } from "../setup/test-files.ts";

/** The server's folder of downloads, relative to the server's working directory. */
export const DOWNLOADS = "downloads";

const PROJECT = join(import.meta.dir, "../../..");

/** Time limit for a program to become ready, in ms. */
const START_TIMEOUT = 30_000;

/** Random tokens that are valid for one run of the demo. */
export interface Tokens {
  api: string;
  enroll: string;
}

export function freshTokens(): Tokens {
  return { api: randomBytes(32).toString("hex"), enroll: randomBytes(32).toString("hex") };
}

/**
 * Starts a server on a free port.
 * @param env the environment of the demo itself
 * @returns the URL of the server
 */
export async function startServer(
  processes: Processes,
  tokens: Tokens,
  env: Environment,
): Promise<string> {
  const settings = { API_TOKEN: tokens.api, ENROLL_TOKEN: tokens.enroll, LOG_FORMAT: "pretty" };
  const flags = ["--host", "127.0.0.1", "--port", "0", "--downloads-dir", DOWNLOADS];
  processes.start(
    "server",
    [join(PROJECT, "server.ts"), ...flags],
    childEnvironment(env, settings),
  );
  const listening = /listening on (https?:\/\/[\w.:[\]-]+)/;
  const [, address = ""] = await processes.waitForLine("server", listening, START_TIMEOUT);
  return address;
}

/**
 * Starts a client for each test file, and waits until all clients are registered. The root of a client is the
 * folder that contains its test file.
 */
export async function startClients(
  processes: Processes,
  server: string,
  files: TestFile[],
  tokens: Tokens,
  env: Environment,
): Promise<void> {
  const settings = { ENROLL_TOKEN: tokens.enroll, LOG_FORMAT: "pretty" };
  for (const { clientId, path } of files) {
    const flags = ["--id", clientId, "--server", server, "--root", dirname(path)];
    const state = ["--state-dir", join(".client-state", clientId)];
    const argv = [join(PROJECT, "client.ts"), ...flags, ...state];
    processes.start(clientId, argv, childEnvironment(env, settings));
  }
  for (const { clientId } of files) {
    await processes.waitForLine(
      clientId,
      new RegExp(`registered as ${clientId}\\b`),
      START_TIMEOUT,
    );
  }
}
