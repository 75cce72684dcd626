import { stat } from "node:fs/promises";

/** Permission bit: everybody else may read. */
const OTHERS_READ = 0o004;

/**
 * Warns of files that hold a secret and that everybody on this machine may read.
 * @param paths null and files that do not exist are passed over
 * @returns a sentence for each exposed file
 */
export async function exposedFiles(...paths: (string | null)[]): Promise<string[]> {
  // On Windows, access to a file follows from its folder.
  if (process.platform === "win32") return [];
  const told = paths.map(async (path) => {
    const found = path === null ? null : await stat(path).catch(() => null);
    if (!found || !(found.mode & OTHERS_READ)) return [];
    return [`everybody on this machine can read the secret in "${path}", run chmod 600 on it`];
  });
  return (await Promise.all(told)).flat();
}
