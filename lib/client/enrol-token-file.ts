import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { readSetting, UsageError } from "../util/flags.ts";
import { TOKEN } from "../util/kinds.ts";
import { systemCode } from "../util/system-error.ts";

/**
 * Returns the path of the file with a one-time enrolment token. `fds client install` writes this file, so
 * that no settings file holds the token. The client removes the file once the server knows the client's key.
 */
export function enrolTokenFile(stateDir: string): string {
  return join(stateDir, "enroll-token");
}

/**
 * Reads the enrolment token that was saved for a new client.
 * @returns null if there is no such file
 * @throws UsageError if the file cannot be read or contains no token
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

/** Removes the file with the enrolment token, which is not needed once the server knows the client's key. */
export async function removeEnrolToken(stateDir: string): Promise<void> {
  await rm(enrolTokenFile(stateDir), { force: true });
}
