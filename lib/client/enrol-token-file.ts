import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { readSetting, UsageError } from "../util/flags.ts";
import { TOKEN } from "../util/kinds.ts";
import { systemCode } from "../util/system-error.ts";

/**
 * Path of the file with a token for enrolling once. `fds client install` writes it, so that no settings
 * hold the token. The client removes it when the server knows its key.
 */
export function enrolTokenFile(stateDir: string): string {
  return join(stateDir, "enroll-token");
}

/**
 * @returns null where there is none
 * @throws UsageError when the file cannot be read, or contains no token
 */
export async function readEnrolToken(stateDir: string): Promise<string | null> {
  const path = enrolTokenFile(stateDir);
  try {
    const text = (await readFile(path, "utf8")).trim();
    return readSetting({ source: `"${path}"`, text, secret: true }, TOKEN.schema, TOKEN.expected);
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT") return null;
    if (code === null) throw error;
    throw new UsageError(`"${path}" cannot be read (${code})`, { cause: error });
  }
}

/** Removes the token; the server knows the client's key now. */
export async function removeEnrolToken(stateDir: string): Promise<void> {
  await rm(enrolTokenFile(stateDir), { force: true });
}
