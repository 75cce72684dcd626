import { stat } from "node:fs/promises";

/** The right to read of whoever is neither the file's owner nor in its group. */
const OTHERS_READ = 0o004;

/**
 * What to say of files that hold a secret and that everybody on this machine may read.
 * @param paths null stands for none; a file that is not there says nothing
 * @returns a sentence for each
 */
export async function exposedFiles(...paths: (string | null)[]): Promise<string[]> {
  // There the rights of a file are those of its folder.
  if (process.platform === "win32") return [];
  const told = paths.map(async (path) => {
    const found = path === null ? null : await stat(path).catch(() => null);
    if (!found || !(found.mode & OTHERS_READ)) return [];
    return [`everybody on this machine can read the secret in "${path}", run chmod 600 on it`];
  });
  return (await Promise.all(told)).flat();
}
