import { lstat, readdir, rm, rmdir } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { formatSize } from "../../util/sizes.ts";
import { plainText } from "../../util/plain-text.ts";
import { systemCode } from "../../util/system-error.ts";
import { rememberRemoved } from "../verify/removed-files.ts";
import { complain, type GuideContext, tell } from "./guide.ts";

/** As the server names what it publishes: `20260725_101500_file.txt`. */
const PUBLISHED = /^\d{8}_\d{6}_/;

/** Choice 11: removes what was downloaded, if a person says so. */
export async function cleanUp(context: GuideContext): Promise<void> {
  const { target, input, signal } = context;
  const folder = plainText(resolve(target.downloadsDir));
  const { files, others } = await publishedFiles(target.downloadsDir);
  if (others > 0) tell(context, `${count(others)} of another kind will stay`);
  if (files.length === 0) return tell(context, `There is nothing to remove in ${folder}`);
  const bytes = formatSize(files.reduce((sum, { size }) => sum + size, 0));
  const question = `Remove ${count(files.length)} (${bytes}) from ${folder}?`;
  if (!(await input.confirm(question, signal))) return tell(context, "Nothing was removed");
  await remember(context, files);
  let removed = 0;
  for (const { path } of files) {
    try {
      await rm(path);
      removed++;
    } catch (error) {
      if (systemCode(error) === null) throw error;
      complain(context, `"${path}" cannot be removed: look at who owns it`);
    }
  }
  await removeEmptyFolders(target.downloadsDir);
  tell(context, `${count(removed)} removed; the records of the downloads stay`);
}

/** Before they are gone, as one that is still there is verified as ever. */
async function remember(context: GuideContext, files: { path: string }[]): Promise<void> {
  const { downloadsDir } = context.target;
  const paths = files.map(({ path }) => relative(downloadsDir, path).replaceAll("\\", "/"));
  try {
    await rememberRemoved(downloadsDir, paths);
  } catch (error) {
    const code = systemCode(error);
    if (code === null) throw error;
    complain(
      context,
      `That they are removed cannot be noted (${code}): they will count as missing`,
    );
  }
}

/**
 * The files that the server published, with their sizes in bytes. What is under way lies in a
 * folder with a leading dot, and is no concern of ours.
 */
async function publishedFiles(downloadsDir: string) {
  const files: { path: string; size: number }[] = [];
  let others = 0;
  for (const client of await clientFolders(downloadsDir)) {
    for (const entry of await readdir(client, { withFileTypes: true })) {
      const path = join(client, entry.name);
      if (entry.isFile() && PUBLISHED.test(entry.name)) {
        files.push({ path, size: (await lstat(path)).size });
      } else {
        others++;
      }
    }
  }
  return { files, others };
}

async function clientFolders(downloadsDir: string): Promise<string[]> {
  try {
    const entries = await readdir(downloadsDir, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
      .map(({ name }) => join(downloadsDir, name));
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}

async function removeEmptyFolders(downloadsDir: string): Promise<void> {
  for (const folder of await clientFolders(downloadsDir)) {
    if ((await readdir(folder)).length === 0) await rmdir(folder);
  }
}

function count(files: number): string {
  return files === 1 ? "1 file" : `${files} files`;
}
