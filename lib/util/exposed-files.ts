import { stat } from "node:fs/promises";

/** Permission bit of a file's mode: users other than the owner and the group may read. */
const OTHERS_READ = 0o004;

/**
 * Returns a warning for each file with a secret that every user of this machine may read. Returns no warnings
 * on Windows.
 * @param paths files with secrets; null and files that do not exist are skipped
 * @returns a sentence for each exposed file
 */
export async function exposedFiles(...paths: (string | null)[]): Promise<string[]> {
  // On Windows, files inherit their permissions from the folder, and the mode says nothing about them.
  if (process.platform === "win32") return [];
  const warnings = paths.map(async (path) => {
    const found = path === null ? null : await stat(path).catch(() => null);
    if (!found || !(found.mode & OTHERS_READ)) return [];
    return [`everybody on this machine can read the secret in "${path}", run chmod 600 on it`];
  });
  return (await Promise.all(warnings)).flat();
}
