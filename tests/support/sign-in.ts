import { afterEach, beforeEach, expect } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OpenCalls } from "../../lib/server/access/open-calls.ts";
import { Tokens } from "../../lib/server/access/tokens.ts";
import type { Repository } from "../../lib/server/database/repository.ts";
import { openSqlRepository } from "../../lib/server/database/sql.ts";
import { Guesses } from "../../lib/server/http/guesses.ts";
import { SignIn } from "../../lib/server/http/sign-in.ts";
import { Logger } from "../../lib/util/logger.ts";
import { NOW } from "./downloads.ts";

/* Signing in to a server with a real database, on a clock that tests set. */

export const clock = {} as {
  /** The current time, in ms since 1970. */
  time: number;
};

export const TOKEN = "the-operators-token";
export const ADDRESS = "http://files.example:8080";
export const FROM = "192.0.2.1";

let folder: string;
let repository: Repository;
export let tokens: Tokens;
export let openCalls: OpenCalls;
export let guesses: Guesses;
export let signIn: SignIn;
let log: string[];

/** Makes another object for sign-ins on the same database, as a second process of the server would. */
export const make = (apiToken = TOKEN) =>
  new SignIn({
    apiToken,
    tokens,
    rows: repository.access,
    openCalls,
    guesses,
    now: () => clock.time,
  });

/** Makes a request as a browser sends it. */
export function request(
  headers: Record<string, string> = {},
  method = "GET",
  path = "/api/downloads",
  url = ADDRESS,
): Request {
  return new Request(url + path, { method, headers });
}

/** Signs in, and returns the headers that the browser sends afterwards. */
export async function begin(
  shown: { token?: string; code?: string } = { token: TOKEN },
  from = FROM,
) {
  const { cookie } = await signIn.signIn(shown, request(), from);
  return { Cookie: cookie.split(";")[0]! };
}

/** Returns the dependencies with which the server authenticates a call. */
export const access = () => ({ apiToken: TOKEN, tokens, guesses, signIn });

/** Creates an API token. The result includes its secret. */
export const tokenFor = (name: string, fields: object = {}) =>
  tokens.create({
    name,
    role: "viewer",
    sites: null,
    labels: null,
    expires_in_seconds: null,
    ...fields,
  });

/** Sets up the sign-in with an empty database for each test of a file. */
export function useSignIn(): void {
  beforeEach(async () => {
    clock.time = NOW;
    folder = await mkdtemp(join(tmpdir(), "fds-sign-in-"));
    repository = await openSqlRepository(`sqlite://${folder}/state.db`);
    openCalls = new OpenCalls(() => clock.time);
    log = [];
    const logger = new Logger({ level: "info", format: "json", write: (line) => log.push(line) });
    tokens = new Tokens(repository.access, openCalls, logger, () => clock.time);
    guesses = new Guesses(() => clock.time);
    signIn = make();
  });

  afterEach(async () => {
    expect(log).toEqual([]);
    await repository.close();
    await rm(folder, { recursive: true });
  });
}
