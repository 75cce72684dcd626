import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "../../util/system-error.ts";

/**
 * Name of the file with the paths of the downloaded files that a person removed, each as a line of JSON. It
 * lies in the server's own folder, as only downloaded files lie beside that.
 */
const FILE = ".server/removed-files.jsonl";

/**
 * Writes down that files are about to be removed, so that nobody misses them.
 * @param downloadsDir the server's folder of downloads, as this machine sees it
 * @param paths relative to it, with forward slashes
 */
export async function rememberRemoved(downloadsDir: string, paths: string[]): Promise<void> {
  const lines = paths.map((path) => `${JSON.stringify(path)}\n`);
  await appendFile(join(downloadsDir, FILE), lines.join(""));
}

/** The files that were removed on purpose; one of them may be there again. */
export async function removedFiles(downloadsDir: string): Promise<Set<string>> {
  return new Set((await read(join(downloadsDir, FILE))).split("\n").flatMap(pathOf));
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    // Where only the server may look into its folder, no guide has removed anything.
    if (["ENOENT", "EACCES"].includes(systemCode(error) ?? "")) return "";
    throw error;
  }
}

/** A line may have been cut short. */
function pathOf(line: string): string[] {
  try {
    const path: unknown = JSON.parse(line);
    return typeof path === "string" ? [path] : [];
  } catch {
    return [];
  }
}
