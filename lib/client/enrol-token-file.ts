import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { readSetting, UsageError } from "../util/flags.ts";
import { TOKEN } from "../util/kinds.ts";
import { systemCode } from "../util/system-error.ts";

/**
 * A token to enrol with that is good for once: the client removes the file when the server knows its
 * key. `fds client install` puts it there, so that no settings hold it.
 */
export function enrolTokenFile(stateDir: string): string {
  return join(stateDir, "enroll-token");
}

/**
 * @returns null where there is none
 * @throws UsageError when what is there is no token, or cannot be read
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

/** The server knows the client's key by now. */
export async function removeEnrolToken(stateDir: string): Promise<void> {
  await rm(enrolTokenFile(stateDir), { force: true });
}
