import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "../../util/system-error.ts";

/**
 * File with the paths of downloaded files that a person removed, each as a line of JSON. It is in the
 * server's own folder, as everything beside that is a downloaded file.
 */
const FILE = ".server/removed-files.jsonl";

/**
 * Records that files are about to be removed, so that they are not reported as missing.
 * @param downloadsDir the server's folder of downloads as this machine sees it
 * @param paths relative to it, with forward slashes
 */
export async function rememberRemoved(downloadsDir: string, paths: string[]): Promise<void> {
  const lines = paths.map((path) => `${JSON.stringify(path)}\n`);
  await appendFile(join(downloadsDir, FILE), lines.join(""));
}

/** Files that were removed on purpose; some may exist again. */
export async function removedFiles(downloadsDir: string): Promise<Set<string>> {
  return new Set((await read(join(downloadsDir, FILE))).split("\n").flatMap(pathOf));
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    // If only the server may read its folder, no guide has removed anything.
    if (["ENOENT", "EACCES"].includes(systemCode(error) ?? "")) return "";
    throw error;
  }
}

/** Parses a line, which may have been cut off. */
function pathOf(line: string): string[] {
  try {
    const path: unknown = JSON.parse(line);
    return typeof path === "string" ? [path] : [];
  } catch {
    return [];
  }
}
