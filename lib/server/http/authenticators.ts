import type { Logger } from "../../util/logger.ts";
import { OpenCalls } from "../access/open-calls.ts";
import type { AccessRows } from "../access/rows.ts";
import { Tokens } from "../access/tokens.ts";
import { Guesses } from "./guesses.ts";
import { SignIn } from "./sign-in.ts";

export interface AuthenticatorsOptions {
  /** The API_TOKEN of the settings; null: the server listens on loopback only, and needs no token. */
  apiToken: string | null;
  rows: AccessRows;
  logger: Logger;
}

/** The objects that authenticate callers by a token, or by the cookie of a session. */
export type Authenticators = ReturnType<typeof authenticators>;

export function authenticators({ apiToken, rows, logger }: AuthenticatorsOptions) {
  const openCalls = new OpenCalls();
  const tokens = new Tokens(rows, openCalls, logger);
  const guesses = new Guesses();
  const signIn =
    apiToken === null ? null : new SignIn({ apiToken, tokens, rows, openCalls, guesses });
  return { apiToken, tokens, guesses, signIn, openCalls };
}
