import { CredentialName } from "../../api/tokens.ts";
import { readSetting, UsageError } from "../../util/flags.ts";
import { DURATION, type Kind } from "../../util/kinds.ts";
import { type Command, type CommandContext, readFlag, requireOwnFlags } from "./command.ts";

/* Code that the commands for API tokens and for enrolment keys share: to create, list and revoke them. */

const NAME: Kind<string> = {
  schema: CredentialName,
  expected: "1 to 64 small letters, digits, '.', '_' or '-', the first a letter or digit",
};

export interface CredentialActions {
  create(context: CommandContext, name: string): Promise<void>;
  list(context: CommandContext): Promise<void>;
  revoke(context: CommandContext, name: string): Promise<void>;
}

/**
 * Runs the action that the first argument names, on the token or key that the second argument names.
 * @param command the name of the command, for error messages, and its flags, all of which are of `create`
 * @throws UsageError for an unknown action, a missing name or a superfluous name
 */
export async function runCredentialAction(
  { command, flags }: { command: string; flags: Command["flags"] },
  context: CommandContext,
  { create, list, revoke }: CredentialActions,
): Promise<void> {
  const [action, name] = context.words;
  if (action === "list" || action === "revoke") {
    requireOwnFlags(context, { flags, own: [], action: `fds ${command} ${action}` });
  }
  if (action === "list") {
    if (name === undefined) return list(context);
    throw new UsageError(`unexpected word "${name}", expected fds ${command} list`);
  }
  if (action !== "create" && action !== "revoke") {
    throw new UsageError(
      `unknown word "${action}", expected fds ${command} create, list or revoke`,
    );
  }
  if (name === undefined) {
    throw new UsageError(`NAME is missing, expected fds ${command} ${action} NAME`);
  }
  const validName = readSetting({ source: "NAME", text: name }, NAME.schema, NAME.expected);
  return action === "create" ? create(context, validName) : revoke(context, validName);
}

/**
 * Reads `--expires`: how long a new token or key is valid.
 * @param defaultSeconds the lifetime in seconds if the flag is not given; null means without end
 * @returns the lifetime in seconds; null means without end
 * @throws UsageError for a wrong value
 */
export function readLifetime(
  context: CommandContext,
  defaultSeconds: number | null,
): number | null {
  if (context.values["expires"] === "never") return null;
  const given = readFlag(context, "expires", {
    ...DURATION,
    expected: `${DURATION.expected}, or never`,
  });
  return given === undefined ? defaultSeconds : Math.ceil(given / 1000);
}

/** Reports whether a token or key is revoked, expired or good. */
export function stateOf(
  { revoked_at, expires_at }: { revoked_at: string | null; expires_at: string | null },
  now = Date.now(),
): "revoked" | "expired" | "good" {
  if (revoked_at !== null) return "revoked";
  return expires_at !== null && Date.parse(expires_at) <= now ? "expired" : "good";
}
