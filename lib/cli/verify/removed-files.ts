import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "../../util/system-error.ts";

/**
 * The file that lists downloaded files removed by a user, one path in JSON on each line. It is in the folder
 * `.server`, as any other name in the folder of downloads counts as a downloaded file.
 */
const FILE = ".server/removed-files.jsonl";

/**
 * Records that files are about to be removed, so that they are not reported as missing.
 * @param downloadsDir the server's folder of downloads, as a path on this machine
 * @param paths relative to `downloadsDir`, with forward slashes
 */
export async function rememberRemoved(downloadsDir: string, paths: string[]): Promise<void> {
  const lines = paths.map((path) => `${JSON.stringify(path)}\n`);
  await appendFile(join(downloadsDir, FILE), lines.join(""));
}

/** Returns the paths of files that a user removed on purpose. A file with such a path may exist again. */
export async function removedFiles(downloadsDir: string): Promise<Set<string>> {
  return new Set((await read(join(downloadsDir, FILE))).split("\n").flatMap(pathOf));
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    // If only the server may read the folder `.server`, no user can have recorded a removal there.
    if (["ENOENT", "EACCES"].includes(systemCode(error) ?? "")) return "";
    throw error;
  }
}

/**
 * Parses one line of the list of removed files.
 * @returns a list with the path; empty for an empty line or a line that was cut off
 */
function pathOf(line: string): string[] {
  try {
    const path: unknown = JSON.parse(line);
    return typeof path === "string" ? [path] : [];
  } catch {
    return [];
  }
}
